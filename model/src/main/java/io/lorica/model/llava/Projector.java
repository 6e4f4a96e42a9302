package io.lorica.model.llava;

import io.lorica.model.Activation;
import io.lorica.model.Linear;
import io.lorica.model.Pass;
import io.lorica.model.Weights;
import io.lorica.tensor.Scope;
import org.bytedeco.pytorch.Tensor;

/**
 * The map from the vision encoder's states to word embeddings, {@code W2 f(W1 x + b1) + b2} (LLaVA-1.5's
 * {@code mlp2x_gelu}). Both maps are sites.
 */
record Projector(Linear first, Activation activation, Linear second) {

    static Projector of(Weights weights, LlavaConfig config, int in, int out) {
        String at = "model.multi_modal_projector.linear_";
        return new Projector(
                weights.linear(at + 1, out, in, config.bias()),
                config.activation(),
                weights.linear(at + 2, out, out, config.bias()));
    }

    /** {@code [n, in]} to {@code [n, out]}, owned by the caller's innermost scope. */
    Tensor forward(Tensor states, Pass pass) {
        try (Scope scope = Scope.open()) {
            return scope.keep(second.forward(activation.apply(first.forward(states, pass)), pass));
        }
    }
}
