package io.lorica.model;

import io.lorica.tensor.DType;
import io.lorica.tensor.LoricaException;
import io.lorica.tensor.Tensors;
import java.util.Arrays;
import java.util.Objects;
import java.util.function.Supplier;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/**
 * One weight of a base model under its checkpoint name. The frozen value stays as it was read (often mapped from the
 * file) or is held quantized; an override stands in front of it while an adapter is merged or the weight is trained, and
 * can always be taken away again without loss.
 */
public final class Parameter {
    private final String name;
    private final @Nullable Tensor dense;
    private final @Nullable PackedWeight packed;
    private final Supplier<Tensor> checkpoint;
    private @Nullable Supplier<Tensor> override;

    /** @param frozen owned by this parameter (outside every scope) */
    public Parameter(String name, Tensor frozen) {
        this.name = name;
        this.dense = frozen;
        this.packed = null;
        this.checkpoint = () -> frozen;
    }

    /**
     * @param packed becomes this parameter's
     * @param checkpoint reads the exact value again, in the type that the weight computes in
     */
    Parameter(String name, PackedWeight packed, Supplier<Tensor> checkpoint) {
        this.name = name;
        this.dense = null;
        this.packed = packed;
        this.checkpoint = checkpoint;
    }

    public String name() {
        return name;
    }

    /** The value in force; a quantized one as {@link #frozen()} gives it. */
    public Tensor value() {
        return override != null ? override.get() : frozen();
    }

    /**
     * The frozen value, whatever stands in front of it. A quantized one is dequantized anew on each call, into a tensor
     * of the caller's innermost scope.
     */
    public Tensor frozen() {
        return dense != null ? dense : Objects.requireNonNull(packed).dense();
    }

    /**
     * The value as the checkpoint has it, rounded only to the model's dtype: what tells one checkpoint from another,
     * however it is held. A quantized one is read from the file again, into the caller's innermost scope.
     */
    public Tensor checkpoint() {
        return checkpoint.get();
    }

    public long[] shape() {
        return dense != null
                ? Tensors.shape(dense)
                : Objects.requireNonNull(packed).shape();
    }

    /** The type it computes in. */
    public DType dtype() {
        return dense != null ? DType.of(dense) : Objects.requireNonNull(packed).type();
    }

    /** How the frozen value is held: a dtype's name, {@code int8}, {@code int4-32}, {@code nf4}, or a type of GGUF. */
    public String format() {
        return packed != null ? packed.format() : dtype().name();
    }

    /** Bytes that the frozen value takes as it is held. */
    public long bytes() {
        return packed != null ? packed.bytes() : Tensors.bytes(Objects.requireNonNull(dense));
    }

    public boolean quantized() {
        return packed != null;
    }

    /** The quantized form where it is in force; null for dense weights and where an override stands in front. */
    @Nullable
    PackedWeight packed() {
        return override == null ? packed : null;
    }

    public boolean overridden() {
        return override != null;
    }

    /** Puts {@code value} in front of the frozen one. The caller keeps owning it and must {@link #restore()} first. */
    public void override(Tensor value) {
        if (!Arrays.equals(Tensors.shape(value), shape())) {
            throw new LoricaException.Internal("override of " + name + " has shape "
                    + Arrays.toString(Tensors.shape(value)) + ", the weight has " + Arrays.toString(shape()));
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
        if (dense != null) {
            dense.close();
        } else {
            Objects.requireNonNull(packed).close();
        }
    }
}
