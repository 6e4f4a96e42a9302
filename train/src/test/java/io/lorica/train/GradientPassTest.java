package io.lorica.train;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import io.lorica.model.Parameter;
import io.lorica.model.Pass;
import io.lorica.model.WeightFormat;
import io.lorica.tensor.DType;
import io.lorica.tensor.Scope;
import io.lorica.tensor.Seed;
import io.lorica.train.data.Example;
import java.util.List;
import java.util.SequencedMap;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class GradientPassTest {
    private static final List<Example> EXAMPLES = TinyRun.examples(6);
    private static final long TARGETS =
            EXAMPLES.stream().mapToLong(Example::targets).sum();
    private static final Pass PASS = Pass.training(new Seed(9));

    /** Loss and gradients of the examples, {@code perBatch} of them in a forward pass. */
    private static Computed compute(TinyRun run, int perBatch, boolean checkpointing) {
        run.clearGradients();
        GradientPass pass = new GradientPass(run.model(), checkpointing);
        double loss = 0;
        for (int from = 0; from < EXAMPLES.size(); from += perBatch) {
            MicroBatch micro = MicroBatch.of(EXAMPLES.subList(from, Math.min(EXAMPLES.size(), from + perBatch)));
            loss += pass.run(micro, TARGETS, PASS);
        }
        return new Computed(loss, run.gradients());
    }

    private record Computed(double loss, SequencedMap<String, float[]> gradients) {
        void requireNear(Computed other, double tolerance) {
            assertThat(loss).isCloseTo(other.loss, within(tolerance));
            assertThat(gradients.keySet()).isEqualTo(other.gradients.keySet());
            gradients.forEach((name, values) -> {
                assertThat(values).as(name).isNotEmpty();
                assertThat(TinyRun.difference(values, other.gradients.get(name)))
                        .as(name)
                        .isLessThan(tolerance);
            });
            assertThat(gradients.values().stream().mapToDouble(GradientPassTest::largest))
                    .allMatch(largest -> largest > 100 * tolerance);
        }
    }

    private static double largest(float[] values) {
        double largest = 0;
        for (float value : values) {
            largest = Math.max(largest, Math.abs(value));
        }
        return largest;
    }

    @Test
    void run_splitIntoMicroBatches_givesTheSameLossAndGradients() {
        try (TinyRun run = TinyRun.open().shaken()) {
            compute(run, 2, false).requireNear(compute(run, 6, false), 1e-6);
        }
    }

    @Test
    void run_packed_equalsEachSequenceAlone() {
        try (TinyRun run = TinyRun.open().shaken()) {
            compute(run, 6, false).requireNear(compute(run, 1, false), 1e-6);
        }
    }

    @Test
    void run_withCheckpointing_equalsWithout() {
        try (TinyRun run = TinyRun.open().shaken()) {
            compute(run, 6, true).requireNear(compute(run, 6, false), 1e-7);
        }
    }

    @Test
    void run_withCheckpointingAndDropout_drawsTheSameNumbersAgain() {
        String dropout = TinyRun.ALL_LINEAR.replace("'r'", "'lora_dropout': 0.3, 'r'");
        try (TinyRun run = TinyRun.open(DType.F32, dropout).shaken()) {
            compute(run, 6, true).requireNear(compute(run, 6, false), 1e-7);
        }
    }

    @Test
    void run_withCheckpointingAndRoutedBlocks_routesTheSameAgain() {
        String settings = "{'r': 4, 'lora_dropout': 0.3, 'jitter_noise': 0.2, 'num_experts': 2, 'top_k': 2,"
                + " 'router_init_range': 1.0, 'target_modules': 'all-linear'}";
        try (TinyRun run = TinyRun.open(DType.F32, "mixlora", settings).shaken()) {
            compute(run, 6, true).requireNear(compute(run, 6, false), 1e-7);
        }
    }

    @Test
    void run_withEmbeddingAdapted_checkpointingReachesIt() {
        String settings = "{'r': 4, 'target_modules': ['embed_tokens', 'q_proj']}";
        try (TinyRun run = TinyRun.open(DType.F32, settings).shaken()) {
            compute(run, 6, true).requireNear(compute(run, 6, false), 1e-7);
        }
    }

    @Test
    void run_frozenHead_writtenGradientEqualsAutograd() {
        try (TinyRun run = TinyRun.open().shaken()) {
            Computed written = compute(run, 6, false);
            run.model().head().attach((head, x, _) -> head.base(x));
            written.requireNear(compute(run, 6, false), 1e-6);
        }
    }

    @Test
    void run_onlyTheLastLayerAdapted_leavesNoGradientElsewhere() {
        String settings = "{'r': 4, 'target_modules': ['q_proj'], 'layers_to_transform': [1]}";
        try (TinyRun run = TinyRun.open(DType.F32, settings).shaken()) {
            Computed computed = compute(run, 6, true);
            assertThat(computed.gradients().keySet()).allMatch(name -> name.contains("layers.1."));
            computed.requireNear(compute(run, 6, false), 1e-7);
        }
    }

    @Test
    void run_bfloat16Base_staysNearFloat32() {
        try (TinyRun wide = TinyRun.open().shaken();
                TinyRun narrow = TinyRun.open(DType.BF16, TinyRun.ALL_LINEAR).shaken()) {
            double expected = compute(wide, 6, false).loss();
            assertThat(compute(narrow, 6, false).loss()).isCloseTo(expected, within(0.02 * expected));
        }
    }

    /** The same weights dequantized, in front of the quantized ones. */
    private static void densify(TinyRun run) {
        run.model().parameters().values().stream()
                .filter(Parameter::quantized)
                .forEach(parameter -> parameter.override(parameter.frozen()));
    }

    @ParameterizedTest
    @CsvSource({"int8, false, false", "int4, false, false", "int4, true, true"})
    void run_quantizedBase_equalsTheDequantizedOne(String format, boolean headLearns, boolean checkpointing) {
        String settings = headLearns ? "{'r': 4, 'target_modules': ['q_proj', 'lm_head']}" : TinyRun.ALL_LINEAR;
        try (TinyRun run = TinyRun.open(DType.F32, WeightFormat.parse(format), "lora", settings)
                .shaken()) {
            Computed quantized = compute(run, 6, checkpointing);
            try (Scope _ = Scope.open()) {
                densify(run);
                quantized.requireNear(compute(run, 6, checkpointing), 1e-6);
            }
        }
    }

    @Test
    void run_doraOnAQuantizedBase_equalsTheDequantizedOne() {
        String dora = TinyRun.ALL_LINEAR.replace("'r'", "'use_dora': true, 'r'");
        try (TinyRun run =
                TinyRun.open(DType.F32, WeightFormat.INT4, "lora", dora).shaken()) {
            Computed quantized = compute(run, 2, false);
            try (Scope _ = Scope.open()) {
                densify(run);
                quantized.requireNear(compute(run, 2, false), 1e-6);
            }
        }
    }
}
