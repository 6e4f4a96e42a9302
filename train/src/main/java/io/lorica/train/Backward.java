package io.lorica.train;

import org.bytedeco.pytorch.BoolOptional;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorArrayRefOptional;

/** Starts libtorch's backward pass from a known gradient. */
final class Backward {
    private Backward() {}

    /** Adds {@code gradient * d output / d leaf} to the gradient of every leaf; the graph is freed. */
    static void run(Tensor output, Tensor gradient) {
        output.backward(gradient, new BoolOptional(), false, new TensorArrayRefOptional());
    }
}
