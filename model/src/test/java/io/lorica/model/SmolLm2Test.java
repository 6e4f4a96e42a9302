package io.lorica.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.lorica.tensor.DType;
import io.lorica.tensor.Grad;
import io.lorica.tensor.Scope;
import io.lorica.tensor.Tensors;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;

/**
 * The real model, where it is in the user's cache ({@code lorica models pull smollm2-135m-instruct}). The expected
 * numbers are transformers 5.23.0 with torch 2.10 reading the same Q4_1 GGUF in float32.
 */
class SmolLm2Test {
    private static final String NAME = "smollm2-135m-instruct";

    @Test
    void nextLogits_ofARealPrompt_equalTransformers() {
        ModelStore store = ModelStore.standard();
        Optional<ModelStore.Located> here = store.cached(NAME);
        assumeTrue(
                here.isPresent() && here.get().path().toString().endsWith("Q4_1.gguf"),
                "skipped: the GGUF of " + NAME + " is not in " + store.home() + "; fetch it with models pull");
        try (Pretrained pretrained = store.open(NAME, DType.F32);
                Scope _ = Scope.open();
                Grad _ = Grad.disabled()) {
            long[] ids = pretrained.tokenizer().encode("The capital of France is", false);
            assertThat(ids).containsExactly(504, 3575, 282, 4649, 314);
            float[] logits = Tensors.floats(pretrained.causal().nextLogits(Batch.of(List.of(ids)), Pass.inference()));
            assertThat(logits[0]).isCloseTo(1.6136f, within(1e-3f));
            assertThat(logits[1]).isCloseTo(-11.8719f, within(1e-3f));
            assertThat(logits[260]).isCloseTo(14.8886f, within(1e-3f));
            assertThat(logits[7042]).isCloseTo(17.3713f, within(1e-3f));
        }
    }
}
