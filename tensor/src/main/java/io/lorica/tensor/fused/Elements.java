package io.lorica.tensor.fused;

import io.lorica.tensor.DType;
import io.lorica.tensor.Grad;
import io.lorica.tensor.Scope;
import java.util.Arrays;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/** The elements of a contiguous tensor by their place in memory: parts of it as tensors, and for kernels to read. */
public final class Elements {
    private final Tensor tensor;
    private final DType type;
    private final @Nullable Rows rows;

    /** @param tensor contiguous; stays its owner's, who keeps it alive as long as this is used */
    public Elements(Tensor tensor) {
        this.tensor = tensor;
        type = DType.of(tensor);
        rows = Kernels.fit(tensor) ? new Rows(tensor) : null;
    }

    public Tensor tensor() {
        return tensor;
    }

    /** A view of elements from {@code at} on, owned by the caller's innermost scope. */
    public Tensor view(long at, long... shape) {
        try (Scope scope = Scope.open()) {
            long count = Arrays.stream(shape).reduce(1, (a, b) -> a * b);
            return scope.keep(tensor.view(-1).narrow(0, at, count).view(shape));
        }
    }

    /** Copies all elements of {@code source}, converted where its type is another, to element {@code at} on. */
    public void write(long at, Tensor source) {
        if (rows != null && Kernels.fit(source) && DType.of(source) == type && source.is_contiguous()) {
            rows.copy(at, new Rows(source));
            return;
        }
        try (Scope _ = Scope.open();
                Grad _ = Grad.disabled()) {
            tensor.view(-1).narrow(0, at, source.numel()).copy_(source.reshape(-1));
        }
    }

    /** Whether kernels can read it. */
    boolean readable() {
        return rows != null;
    }

    Rows rows() {
        if (rows == null) {
            throw new IllegalStateException("no kernel can read this tensor");
        }
        return rows;
    }
}
