package io.lorica.tensor;

import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.channels.WritableByteChannel;
import org.bytedeco.pytorch.Tensor;

/** The memory of a tensor as bytes. Valid while the tensor's storage is. */
final class NativeBytes {
    private static final long CHUNK = 8L << 20;

    private NativeBytes() {}

    /** Takes chunks of a tensor's bytes in row-major order. */
    @FunctionalInterface
    interface Sink {
        void accept(ByteBuffer chunk) throws IOException;
    }

    /** @param tensor contiguous, on the CPU */
    @SuppressWarnings("restricted") // the length is the tensor's own
    static MemorySegment of(Tensor tensor) {
        long bytes = Tensors.bytes(tensor);
        if (bytes == 0) {
            return MemorySegment.NULL;
        }
        if (!tensor.is_contiguous() || !tensor.is_cpu()) {
            throw new LoricaException.Internal(
                    "the bytes of a tensor that is not contiguous on the CPU were asked for");
        }
        return MemorySegment.ofAddress(tensor.data_ptr().address()).reinterpret(bytes);
    }

    /** Passes the elements of any tensor on as little-endian bytes, in chunks; copies only where it is not contiguous. */
    static void stream(Tensor tensor, Sink sink) throws IOException {
        try (Scope _ = Scope.open();
                Grad _ = Grad.disabled()) {
            MemorySegment bytes = of(tensor.detach().cpu().contiguous());
            for (long at = 0; at < bytes.byteSize(); at += CHUNK) {
                sink.accept(bytes.asSlice(at, Math.min(CHUNK, bytes.byteSize() - at))
                        .asByteBuffer());
            }
        }
    }

    static void writeFully(WritableByteChannel channel, ByteBuffer buffer) throws IOException {
        while (buffer.hasRemaining()) {
            channel.write(buffer);
        }
    }
}
