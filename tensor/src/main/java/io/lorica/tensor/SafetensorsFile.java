package io.lorica.tensor;

import java.nio.file.Path;
import java.util.Collections;
import java.util.Map;
import java.util.SequencedMap;
import java.util.SequencedSet;
import org.bytedeco.pytorch.Tensor;

/**
 * A safetensors file: a JSON header and the tensors' raw bytes.
 *
 * <p>Opening checks the whole header (lengths, types, shapes, offsets, no overlap, no gap) before any tensor is touched
 * and reports all faults in one {@link LoricaException.BadInput}. The file is mapped, and {@link #read} gives read-only
 * views of the mapping: they cost no memory of their own, must not be written in place, and are valid until
 * {@link #close}. The file must not be truncated while it is open; files written by Lorica are replaced whole, which is
 * safe.
 */
public final class SafetensorsFile implements TensorSource {
    private final MappedFile mapped;
    private final SafetensorsHeader header;

    private SafetensorsFile(MappedFile mapped) {
        this.mapped = mapped;
        this.header = SafetensorsHeader.read(mapped);
    }

    /**
     * Maps a file and checks its header.
     *
     * @throws LoricaException.NotFound if there is no such file
     * @throws LoricaException.BadInput if the file is not sound safetensors; all faults in one message
     */
    public static TensorSource open(Path file) {
        MappedFile mapped = MappedFile.open(file);
        try {
            return new SafetensorsFile(mapped);
        } catch (Throwable e) {
            mapped.close();
            throw e;
        }
    }

    /**
     * Writes tensors of any dtype and layout, atomically, bit for bit, with the layout of the reference implementation:
     * sorted by descending element type, then by name, the header padded to a multiple of 8 bytes.
     *
     * @param metadata may be empty; {@code {"format": "pt"}} is what the Python libraries expect of model files
     * @throws LoricaException.BadInput if a tensor is named {@code __metadata__}
     */
    public static void write(Path file, SequencedMap<String, Tensor> tensors, Map<String, String> metadata) {
        SafetensorsWriter.write(file, tensors, metadata);
    }

    @Override
    public Map<String, String> metadata() {
        return Collections.unmodifiableMap(header.metadata());
    }

    @Override
    public SequencedSet<String> names() {
        return Collections.unmodifiableSequencedMap(header.entries()).sequencedKeySet();
    }

    @Override
    public TensorInfo info(String name) {
        SafetensorsHeader.Entry entry = entry(name);
        return new TensorInfo(entry.type().name(), entry.shape().clone(), entry.end() - entry.begin());
    }

    @Override
    public Tensor read(String name) {
        SafetensorsHeader.Entry entry = entry(name);
        return mapped.view(entry.begin(), entry.type(), entry.shape());
    }

    private SafetensorsHeader.Entry entry(String name) {
        SafetensorsHeader.Entry entry = header.entries().get(name);
        if (entry == null) {
            throw TensorFiles.noSuchTensor(mapped.path(), name, header.entries().keySet());
        }
        return entry;
    }

    @Override
    public void unload() {
        mapped.unload();
    }

    @Override
    public void close() {
        mapped.close();
    }
}
