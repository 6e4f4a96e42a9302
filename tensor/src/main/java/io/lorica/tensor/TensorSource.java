package io.lorica.tensor;

import java.util.Map;
import java.util.Optional;
import java.util.SequencedSet;
import org.bytedeco.pytorch.Tensor;

/** Named tensors that can be read: a safetensors file, a sharded set of them, a GGUF file, or a renamed view of one. */
public interface TensorSource extends AutoCloseable {

    /** What the file says of itself, apart from tensors; empty when it says nothing. */
    Map<String, String> metadata();

    /** Names in file order. */
    SequencedSet<String> names();

    /** Shape and type of one tensor, read from the header alone. */
    TensorInfo info(String name);

    /**
     * The tensor in its stored type (for quantized types, dequantized to float32). Where the file is mapped, the tensor
     * is a read-only view of it, valid until this source is closed.
     *
     * @return owned by the caller's innermost scope
     */
    Tensor read(String name);

    /**
     * A matrix in the form in which it is stored, where that is quantized and Lorica can compute with it; valid until
     * this source is closed.
     *
     * @return owned by the caller; empty for tensors that {@link #read} gives as they are stored
     */
    default Optional<Quantized> quantized(String name) {
        return Optional.empty();
    }

    /** Lets the system take back the memory of what was read so far; it is read from the file again when needed. */
    default void unload() {}

    @Override
    void close();

    /**
     * @param dtype the stored type as the file names it ({@code F32}, {@code BF16}, {@code Q4_1} …)
     * @param bytes size in the file
     */
    record TensorInfo(String dtype, long[] shape, long bytes) {}
}
