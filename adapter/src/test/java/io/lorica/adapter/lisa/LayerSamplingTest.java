package io.lorica.adapter.lisa;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import io.lorica.tensor.Seed;
import java.util.List;
import org.junit.jupiter.api.Test;

class LayerSamplingTest {
    private static final List<Integer> EIGHT = List.of(0, 1, 2, 3, 4, 5, 6, 7);

    /** Each layer's frequency is 2/8 within four standard deviations over 10,000 draws. */
    @Test
    void draw_manyTimes_takesEachLayerAlikeAndNoneTwice() {
        int[] counts = new int[8];
        for (int i = 0; i < 10_000; i++) {
            List<Integer> drawn = LayerSampling.draw(EIGHT, 2, new Seed(9).of(i));
            assertThat(drawn).hasSize(2).doesNotHaveDuplicates();
            drawn.forEach(layer -> counts[layer]++);
        }
        for (int count : counts) {
            assertThat(count / 10_000.0).isCloseTo(0.25, within(0.0173));
        }
    }

    @Test
    void draw_sameSeed_takesTheSame() {
        assertThat(LayerSampling.draw(EIGHT, 3, new Seed(4))).isEqualTo(LayerSampling.draw(EIGHT, 3, new Seed(4)));
        assertThat(LayerSampling.draw(EIGHT, 8, new Seed(4))).containsExactlyInAnyOrderElementsOf(EIGHT);
    }
}
