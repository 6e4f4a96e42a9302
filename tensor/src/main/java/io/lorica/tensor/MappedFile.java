package io.lorica.tensor;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.BasicFileAttributes;
import java.nio.file.attribute.FileTime;
import java.util.HashMap;
import java.util.Map;
import org.bytedeco.javacpp.Pointer;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorOptions;
import org.bytedeco.pytorch.global.torch;

/**
 * A file mapped read-only into memory, and tensors that look into it. Closing unmaps it, which ends every view. What is opened
 * several times at once is mapped once, so that it counts once in the process's memory.
 */
final class MappedFile implements AutoCloseable {
    private static final Map<Identity, Mapping> MAPPINGS = new HashMap<>();

    private final Path path;
    private final Mapping mapping;
    private boolean closed;

    /** A file as it is now. */
    private record Identity(Object file, long size, FileTime modified) {
        static Identity of(Path path) throws IOException {
            BasicFileAttributes attributes = Files.readAttributes(path, BasicFileAttributes.class);
            Object key = attributes.fileKey();
            return new Identity(
                    key == null ? path.toRealPath() : key, attributes.size(), attributes.lastModifiedTime());
        }
    }

    private static final class Mapping {
        private final Identity identity;
        private final Arena arena = Arena.ofShared();
        private final MemorySegment bytes;
        private int users;

        Mapping(Identity identity, Path path) throws IOException {
            this.identity = identity;
            try (FileChannel channel = FileChannel.open(path, StandardOpenOption.READ)) {
                bytes = channel.map(FileChannel.MapMode.READ_ONLY, 0, channel.size(), arena);
            } catch (IOException | RuntimeException e) {
                arena.close();
                throw e;
            }
        }
    }

    private MappedFile(Path path) throws IOException {
        this.path = path;
        synchronized (MAPPINGS) {
            Identity identity = Identity.of(path);
            Mapping known = MAPPINGS.get(identity);
            mapping = known == null ? new Mapping(identity, path) : known;
            MAPPINGS.put(identity, mapping);
            mapping.users++;
        }
    }

    static MappedFile open(Path path) {
        if (Files.exists(path) && !Files.isRegularFile(path)) {
            throw new LoricaException.BadInput(path + " is "
                    + (Files.isDirectory(path)
                            ? "a directory; name the file in it"
                            : "not a regular file; copy it to one"));
        }
        try {
            return new MappedFile(path);
        } catch (NoSuchFileException e) {
            throw new LoricaException.NotFound(path + " does not exist; check the path");
        } catch (IOException e) {
            throw new LoricaException.Internal("cannot read " + path + ": " + e, e);
        }
    }

    Path path() {
        return path;
    }

    long size() {
        return mapping.bytes.byteSize();
    }

    /** The whole file; an access after {@link #close} throws. */
    MemorySegment bytes() {
        requireOpen();
        return mapping.bytes;
    }

    /**
     * A tensor over a range that the caller has checked: a view, or a copy where the offset is not a multiple of the
     * element size.
     */
    Tensor view(long offset, DType type, long[] shape) {
        requireOpen();
        try (TensorOptions options = Tensors.options(type)) {
            long count = 1;
            for (long size : shape) {
                count *= size;
            }
            if (count == 0) {
                return torch.empty(shape, options, null);
            }
            MemorySegment range = mapping.bytes.asSlice(offset, count * type.bytes());
            if (range.address() % type.bytes() == 0) {
                return torch.from_blob(new Address(range.address()), shape, options);
            }
            Tensor copy = torch.empty(shape, options, null);
            NativeBytes.of(copy).copyFrom(range);
            return copy;
        }
    }

    /** Takes the pages out of this process; the next access reads them from the file again. */
    void unload() {
        requireOpen();
        if (size() > 0) {
            mapping.bytes.unload();
        }
    }

    private void requireOpen() {
        if (closed) {
            throw new LoricaException.Internal(path + " was read after it was closed");
        }
    }

    @Override
    public void close() {
        synchronized (MAPPINGS) {
            if (!closed) {
                closed = true;
                if (--mapping.users == 0) {
                    MAPPINGS.remove(mapping.identity);
                    mapping.arena.close();
                }
            }
        }
    }

    /** An address for libtorch; owns nothing. */
    private static final class Address extends Pointer {
        Address(long address) {
            this.address = address;
        }
    }
}
