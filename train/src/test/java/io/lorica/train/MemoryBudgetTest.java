package io.lorica.train;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.lorica.tensor.LoricaException;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

/** The search, over a run that takes 100 bytes and 10 an example, or 3 an example with checkpointing. */
class MemoryBudgetTest {
    private static final TrainConfig WANTED =
            TinyRun.config("{'per_device_train_batch_size': 8, 'gradient_accumulation_steps': 3}");

    private final List<Long> rehearsed = new ArrayList<>();

    private MemoryPlan rehearse(TrainConfig config) {
        long each = config.gradientCheckpointing() ? 3 : 10;
        MemoryPlan.Part part = new MemoryPlan.Part("all", 100 + each * config.batchSize(), 0);
        rehearsed.add(part.training());
        return new MemoryPlan(
                config.batchSize(), config.accumulation(), config.gradientCheckpointing(), 1, 0, List.of(part));
    }

    private TrainConfig fit(long bytes) {
        return new MemoryBudget(bytes, this::rehearse).fit(WANTED).config();
    }

    @Test
    void fit_enough_changesNothing() {
        assertThat(fit(190)).isEqualTo(WANTED);
    }

    @Test
    void fit_less_halvesTheMicroBatchAndKeepsTheStep() {
        TrainConfig config = fit(150);
        assertThat(config.batchSize()).isEqualTo(4);
        assertThat(config.accumulation()).isEqualTo(6);
        assertThat(config.gradientCheckpointing()).isFalse();
        assertThat(rehearsed).allMatch(bytes -> bytes <= 150);
    }

    @Test
    void fit_notEvenOne_checkpointsWithTheLargestThatFits() {
        TrainConfig config = fit(112);
        assertThat(config.gradientCheckpointing()).isTrue();
        assertThat(config.batchSize()).isEqualTo(2);
        assertThat(config.accumulation()).isEqualTo(12);
    }

    @Test
    void fit_tooLittle_isRefusedWithThePlan() {
        assertThatThrownBy(() -> fit(102))
                .isInstanceOf(LoricaException.BadInput.class)
                .hasMessageContaining("102 B")
                .hasMessageContaining("peak 103 B")
                .hasMessageContaining("total");
    }

    @Test
    void sizes_oddBatch_divideItAndHalveAtLeast() {
        assertThat(MemoryBudget.sizes(12)).containsExactly(1, 3, 6, 12);
        assertThat(MemoryBudget.sizes(7)).containsExactly(1, 7);
        assertThat(MemoryBudget.sizes(1)).containsExactly(1);
    }
}
