package io.lorica.tensor;

import java.nio.file.Path;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import java.util.SequencedMap;
import java.util.SequencedSet;
import org.bytedeco.pytorch.Tensor;

/**
 * A GGUF file of version 2 or 3: typed metadata and tensors, possibly quantized in blocks.
 *
 * <p>Opening checks the whole header before any tensor is touched. {@link #read} gives F32, F16, BF16, F64 and integer
 * tensors as read-only views of the mapped file, valid until {@link #close}, and Q8_0, Q4_0, Q4_1, Q5_0, Q5_1, Q4_K,
 * Q5_K and Q6_K as new float32 tensors. Shapes are in torch's order, the reverse of the file's: a matrix is {@code [out, in]}.
 *
 * <p>Format: the GGUF specification in ggml's {@code docs/gguf.md}.
 */
public final class GgufFile implements TensorSource {
    private final MappedFile mapped;
    private final GgufHeader header;

    private GgufFile(MappedFile mapped) {
        this.mapped = mapped;
        this.header = GgufHeader.read(mapped);
    }

    /**
     * Maps a file and checks its header.
     *
     * @throws LoricaException.NotFound if there is no such file
     * @throws LoricaException.BadInput if the file is not sound GGUF
     * @throws LoricaException.Unsupported for version 1, big-endian files and types that ggml's list lacks
     */
    public static GgufFile open(Path file) {
        MappedFile mapped = MappedFile.open(file);
        try {
            return new GgufFile(mapped);
        } catch (Throwable e) {
            mapped.close();
            throw e;
        }
    }

    /**
     * Writes GGUF version 3, atomically. Tensors of two and more dimensions are stored as {@code type}, vectors as F32,
     * as llama.cpp expects of norms and biases; shapes are given in torch's order.
     *
     * @param metadata {@link String}, {@link Boolean}, {@link Integer} and {@link Long} (stored as UINT32 where they fit,
     *     else as INT32 or INT64; in lists as INT32 where all fit, else INT64), {@link Float}, {@link Double}, and
     *     lists of one of these
     * @param type F32, F16 or BF16
     */
    public static void write(
            Path file, Map<String, Object> metadata, SequencedMap<String, Tensor> tensors, DType type) {
        GgufWriter.write(file, metadata, tensors, type);
    }

    public int version() {
        return header.version();
    }

    /**
     * The metadata in file order: every integer type as {@link Long} (above 2^63 as {@link java.math.BigInteger}),
     * {@link Float}, {@link Double}, {@link Boolean}, {@link String}, and arrays as {@link java.util.List} of these.
     */
    public SequencedMap<String, Object> values() {
        return Collections.unmodifiableSequencedMap(header.values());
    }

    /** {@link #values()} without the arrays, as text. */
    @Override
    public Map<String, String> metadata() {
        Map<String, String> texts = new LinkedHashMap<>();
        header.values().forEach((key, value) -> {
            if (!(value instanceof java.util.List)) {
                texts.put(key, value.toString());
            }
        });
        return texts;
    }

    @Override
    public SequencedSet<String> names() {
        return Collections.unmodifiableSequencedMap(header.entries()).sequencedKeySet();
    }

    @Override
    public TensorInfo info(String name) {
        GgufHeader.Entry entry = entry(name);
        return new TensorInfo(entry.type().name(), entry.shape().clone(), entry.bytes());
    }

    /**
     * {@inheritDoc}
     *
     * @throws LoricaException.Unsupported if its type can be named but not dequantized
     */
    @Override
    public Tensor read(String name) {
        GgufHeader.Entry entry = entry(name);
        DType plain = entry.type().plain();
        if (plain != null) {
            return mapped.view(entry.begin(), plain, entry.shape());
        }
        Dequantizer.BlockDecoder decoder = Dequantizer.decoder(entry.type());
        if (decoder == null) {
            throw new LoricaException.Unsupported(mapped.path() + ": tensor '" + name + "' is stored as "
                    + entry.type() + ", which Lorica cannot dequantize (supported: " + GgmlType.supported()
                    + "); convert the file to one of these");
        }
        Tensor tensor = Tensors.empty(DType.F32, entry.shape());
        Dequantizer.decode(
                mapped.bytes().asSlice(entry.begin(), entry.bytes()),
                entry.type().blockBytes(),
                entry.type().blockElements(),
                decoder,
                tensor);
        return tensor;
    }

    @Override
    public Optional<Quantized> quantized(String name) {
        return quantized(name, new long[0]);
    }

    /**
     * The tensor as the file's own blocks, with its rows in another order.
     *
     * @param order which row of the file each row is; empty for the file's order, which stays mapped and is not copied
     */
    public Optional<Quantized> quantized(String name, long[] order) {
        GgufHeader.Entry entry = entry(name);
        Dequantizer.BlockDecoder decoder = Dequantizer.decoder(entry.type());
        if (decoder == null || entry.shape().length != 2) {
            return Optional.empty();
        }
        try (Scope _ = Scope.open()) {
            long rows = entry.shape()[0];
            Tensor bytes = mapped.view(entry.begin(), DType.U8, new long[] {rows, entry.bytes() / Math.max(rows, 1)});
            Tensor ordered = order.length == 0 ? bytes : bytes.index_select(0, Tensors.of(order));
            return Optional.of(new BlockMatrix(
                    entry.type().name(),
                    Scope.release(ordered),
                    entry.type().blockBytes(),
                    entry.type().blockElements(),
                    decoder));
        }
    }

    @Override
    public void unload() {
        mapped.unload();
    }

    private GgufHeader.Entry entry(String name) {
        GgufHeader.Entry entry = header.entries().get(name);
        if (entry == null) {
            throw TensorFiles.noSuchTensor(mapped.path(), name, header.entries().keySet());
        }
        return entry;
    }

    @Override
    public void close() {
        mapped.close();
    }
}
