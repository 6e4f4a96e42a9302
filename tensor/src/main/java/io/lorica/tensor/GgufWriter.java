package io.lorica.tensor;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.SequencedMap;
import org.bytedeco.pytorch.Tensor;

/** Lays out and streams a GGUF file of version 3. */
final class GgufWriter {
    private static final int ALIGNMENT = GgufHeader.DEFAULT_ALIGNMENT;

    private final Path file;
    private final ByteArrayOutputStream out = new ByteArrayOutputStream();

    private GgufWriter(Path file) {
        this.file = file;
    }

    static void write(Path file, Map<String, Object> metadata, SequencedMap<String, Tensor> tensors, DType type) {
        if (type != DType.F32 && type != DType.F16 && type != DType.BF16) {
            throw new LoricaException.Unsupported("GGUF files are written as F32, F16 or BF16, not as " + type);
        }
        byte[] header = new GgufWriter(file).header(metadata, tensors, type);
        AtomicFile.write(file, channel -> {
            NativeBytes.writeFully(channel, ByteBuffer.wrap(header));
            for (Tensor tensor : tensors.values()) {
                pad(channel);
                try (Scope _ = Scope.open();
                        Grad _ = Grad.disabled()) {
                    Tensor stored = Tensors.to(tensor, stored(tensor, type));
                    NativeBytes.stream(stored, chunk -> NativeBytes.writeFully(channel, chunk));
                }
            }
            pad(channel);
        });
    }

    private static DType stored(Tensor tensor, DType type) {
        return tensor.dim() > 1 ? type : DType.F32;
    }

    private static void pad(FileChannel channel) throws IOException {
        NativeBytes.writeFully(channel, ByteBuffer.allocate((int) (-channel.position() & (ALIGNMENT - 1))));
    }

    private byte[] header(Map<String, Object> metadata, SequencedMap<String, Tensor> tensors, DType type) {
        int32(GgufHeader.MAGIC);
        int32(3);
        int64(tensors.size());
        int64(metadata.size());
        metadata.forEach((key, value) -> {
            string(key);
            value(key, value);
        });
        long offset = 0;
        for (Map.Entry<String, Tensor> entry : tensors.entrySet()) {
            Tensor tensor = entry.getValue();
            DType stored = stored(tensor, type);
            string(entry.getKey());
            int32(dimensions(entry.getKey(), tensor));
            for (int d = (int) tensor.dim() - 1; d >= 0; d--) {
                int64(tensor.size(d));
            }
            int32(GgmlType.valueOf(stored.name()).id());
            int64(offset);
            offset += (tensor.numel() * stored.bytes() + ALIGNMENT - 1) & -ALIGNMENT;
        }
        return out.toByteArray();
    }

    private int dimensions(String name, Tensor tensor) {
        if (tensor.dim() > 4) {
            throw new LoricaException.BadInput(file + ": tensor " + Faults.quote(name) + " has " + tensor.dim()
                    + " dimensions, but GGUF holds at most 4; reshape it");
        }
        return (int) tensor.dim();
    }

    private void value(String key, Object value) {
        int type = typeOf(key, value, false);
        int32(type);
        payload(key, type, value);
    }

    private int typeOf(String key, Object value, boolean inList) {
        return switch (value) {
            case Boolean _ -> 7;
            case String _ -> 8;
            case Float _ -> 6;
            case Double _ -> 12;
            case Integer number -> integerType(number, inList);
            case Long number -> integerType(number, inList);
            case List<?> _ -> 9;
            default ->
                throw new LoricaException.BadInput(file + ": metadata " + Faults.quote(key) + " is a "
                        + value.getClass().getName() + ", which GGUF cannot hold");
        };
    }

    private static int integerType(long number, boolean inList) {
        if (!inList && number >= 0 && number <= 0xffff_ffffL) {
            return 4;
        }
        return number == (int) number ? 5 : 11;
    }

    private void payload(String key, int type, Object value) {
        switch (type) {
            case 4, 5 -> int32(((Number) value).intValue());
            case 6 -> int32(Float.floatToRawIntBits((Float) value));
            case 7 -> out.write((Boolean) value ? 1 : 0);
            case 8 -> string((String) value);
            case 9 -> list(key, (List<?>) value);
            case 11 -> int64(((Number) value).longValue());
            case 12 -> int64(Double.doubleToRawLongBits((Double) value));
            default -> throw new LoricaException.Internal("GGUF value type " + type + " is not written");
        }
    }

    private void list(String key, List<?> values) {
        int type = values.stream()
                .mapToInt(value -> typeOf(key, value, true))
                .max()
                .orElse(8);
        for (Object value : values) {
            int own = typeOf(key, value, true);
            if (own != type && !(own == 5 && type == 11)) {
                throw new LoricaException.BadInput(
                        file + ": metadata list " + Faults.quote(key) + " mixes types; give all elements one type");
            }
        }
        int32(type);
        int64(values.size());
        values.forEach(value -> payload(key, type, value));
    }

    private void string(String text) {
        byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
        int64(bytes.length);
        out.writeBytes(bytes);
    }

    private void int32(int value) {
        out.writeBytes(ByteBuffer.allocate(4)
                .order(ByteOrder.LITTLE_ENDIAN)
                .putInt(value)
                .array());
    }

    private void int64(long value) {
        out.writeBytes(ByteBuffer.allocate(8)
                .order(ByteOrder.LITTLE_ENDIAN)
                .putLong(value)
                .array());
    }
}
