package io.lorica.model;

import io.lorica.tensor.CustomGradient;
import io.lorica.tensor.DType;
import io.lorica.tensor.Grad;
import io.lorica.tensor.Quantized;
import io.lorica.tensor.Scope;
import io.lorica.tensor.Tensors;
import io.lorica.tensor.fused.FewRowsOp;
import java.util.Arrays;
import java.util.List;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;

/**
 * A frozen matrix {@code Q: [out, in]} that is held quantized, and its products.
 *
 * <p>Few rows of input go through the packed product, many through the dequantized matrix in the model's one scratch
 * buffer. The backward pass {@code dL/dx = dL/dy Q} dequantizes again, so that the graph keeps no dense weight.
 */
final class PackedWeight implements AutoCloseable {
    private final Quantized quantized;
    private final DType type;
    private final boolean turned;
    private final Scratch scratch;

    /**
     * @param quantized becomes this object's
     * @param type what it computes in
     * @param turned whether the checkpoint has the weight as {@code [in, out]}
     */
    PackedWeight(Quantized quantized, DType type, boolean turned, Scratch scratch) {
        this.quantized = quantized;
        this.type = type;
        this.turned = turned;
        this.scratch = scratch;
    }

    String format() {
        return quantized.format();
    }

    long bytes() {
        return quantized.bytes();
    }

    DType type() {
        return type;
    }

    /** The shape that the checkpoint has. */
    long[] shape() {
        return turned
                ? new long[] {quantized.columns(), quantized.rows()}
                : new long[] {quantized.rows(), quantized.columns()};
    }

    /** A new dense tensor as the checkpoint has it, in the caller's innermost scope. */
    Tensor dense() {
        try (Scope scope = Scope.open();
                Grad _ = Grad.disabled()) {
            Tensor matrix = quantized.dense(type);
            return scope.keep((turned ? matrix.t() : matrix).contiguous());
        }
    }

    /** {@code x Q^T}, {@code x: [..., in]}; gradients flow to {@code x}. Owned by the caller's innermost scope. */
    Tensor multiply(Tensor x) {
        if (x.dim() == 2 && !CustomGradient.records(x)) {
            return product(x);
        }
        try (Scope scope = Scope.open()) {
            Tensor flat = x.dim() == 2 ? x : x.reshape(-1, quantized.columns());
            Tensor y = CustomGradient.attach(
                    product(flat), List.of(flat), List.of(), (dy, _, _) -> List.of(transposed(dy)));
            if (x.dim() == 2) {
                return scope.keep(y);
            }
            long[] shape = Tensors.shape(x);
            shape[shape.length - 1] = quantized.rows();
            return scope.keep(y.view(shape));
        }
    }

    private Tensor product(Tensor x) {
        try (Grad _ = Grad.disabled()) {
            return FewRowsOp.fits(x, quantized)
                    ? FewRowsOp.apply(x, quantized)
                    : torch.linear(x, scratch.fill(quantized, type));
        }
    }

    /** {@code y Q}, {@code y: [n, out]}, without a gradient. Owned by the caller's innermost scope. */
    Tensor transposed(Tensor y) {
        try (Scope scope = Scope.open();
                Grad _ = Grad.disabled()) {
            return scope.keep(y.mm(scratch.fill(quantized, type)));
        }
    }

    /** Rows of {@code Q} for {@code ids: [...]}: {@code [..., in]}. Owned by the caller's innermost scope. */
    Tensor lookUp(Tensor ids) {
        try (Scope scope = Scope.open()) {
            long[] shape = Arrays.copyOf(Tensors.shape(ids), (int) ids.dim() + 1);
            shape[shape.length - 1] = quantized.columns();
            return scope.keep(quantized.lookUp(ids.reshape(-1), type).view(shape));
        }
    }

    @Override
    public void close() {
        quantized.close();
    }
}
