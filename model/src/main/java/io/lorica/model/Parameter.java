package io.lorica.model;

import io.lorica.tensor.LoricaException;
import io.lorica.tensor.Tensors;
import java.util.Arrays;
import java.util.function.Supplier;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/**
 * One weight of a base model under its checkpoint name. The frozen value stays as it was read (often mapped from the
 * file); an override stands in front of it while an adapter is merged or the weight is trained, and can always be taken
 * away again without loss.
 */
public final class Parameter {
    private final String name;
    private final Tensor frozen;
    private @Nullable Supplier<Tensor> override;

    /** @param frozen owned by this parameter (outside every scope) */
    public Parameter(String name, Tensor frozen) {
        this.name = name;
        this.frozen = frozen;
    }

    public String name() {
        return name;
    }

    /** The value in force. */
    public Tensor value() {
        return override != null ? override.get() : frozen;
    }

    /** The value as read from the checkpoint, whatever stands in front of it. */
    public Tensor frozen() {
        return frozen;
    }

    public boolean overridden() {
        return override != null;
    }

    /** Puts {@code value} in front of the frozen one. The caller keeps owning it and must {@link #restore()} first. */
    public void override(Tensor value) {
        if (!Arrays.equals(Tensors.shape(value), Tensors.shape(frozen))) {
            throw new LoricaException.Internal(
                    "override of " + name + " has shape " + Arrays.toString(Tensors.shape(value)) + ", the weight has "
                            + Arrays.toString(Tensors.shape(frozen)));
        }
        override = () -> value;
    }

    /**
     * Puts a value in front of the frozen one that is computed anew on each use, so that gradients can flow into what
     * it is computed from. It must have the frozen value's shape and dtype.
     */
    public void override(Supplier<Tensor> value) {
        override = value;
    }

    public void restore() {
        override = null;
    }

    void close() {
        frozen.close();
    }
}
