package io.lorica.model;

import io.lorica.tensor.DType;
import io.lorica.tensor.Quantized;
import io.lorica.tensor.Scope;
import io.lorica.tensor.Tensors;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/**
 * One buffer for all quantized weights of a model, as large as the largest that was ever needed whole. Used by one
 * thread, as the model is.
 */
final class Scratch implements AutoCloseable {
    private @Nullable Tensor bytes;
    private @Nullable Quantized holds;
    private @Nullable DType heldAs;

    /**
     * The dequantized matrix {@code [rows, columns]}, owned by the caller's innermost scope; what it shows is valid until
     * the next call.
     */
    Tensor fill(Quantized quantized, DType type) {
        try (Scope scope = Scope.open()) {
            Tensor view = view(quantized, type);
            if (holds != quantized || heldAs != type) {
                holds = null;
                quantized.writeTo(view);
                holds = quantized;
                heldAs = type;
            }
            return scope.keep(view);
        }
    }

    private Tensor view(Quantized quantized, DType type) {
        long needed = quantized.rows() * quantized.columns() * type.bytes();
        Tensor buffer = bytes;
        if (buffer == null || buffer.numel() < needed) {
            close();
            buffer = Scope.release(Tensors.empty(DType.U8, needed));
            bytes = buffer;
        }
        Tensor flat = buffer.narrow(0, 0, needed).view(type.scalarType());
        return quantized.transposed()
                ? flat.view(quantized.columns(), quantized.rows()).t()
                : flat.view(quantized.rows(), quantized.columns());
    }

    @Override
    public void close() {
        if (bytes != null) {
            bytes.close();
            bytes = null;
        }
        holds = null;
    }
}
