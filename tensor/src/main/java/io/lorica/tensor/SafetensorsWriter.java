package io.lorica.tensor;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonGenerator;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.SequencedMap;
import org.bytedeco.pytorch.Tensor;

/** Lays out and streams a safetensors file. */
final class SafetensorsWriter {
    /** Tensors of a type further down are written first, so that every tensor is aligned to its element size. */
    private static final List<DType> REFERENCE_ORDER = List.of(
            DType.BOOL,
            DType.U8,
            DType.I8,
            DType.F8_E5M2,
            DType.F8_E4M3,
            DType.F8_E8M0,
            DType.F8_E4M3FNUZ,
            DType.F8_E5M2FNUZ,
            DType.I16,
            DType.U16,
            DType.F16,
            DType.BF16,
            DType.I32,
            DType.U32,
            DType.F32,
            DType.C64,
            DType.F64,
            DType.I64,
            DType.U64);

    private record Item(String name, Tensor tensor, DType type) {
        byte[] nameBytes() {
            return name.getBytes(StandardCharsets.UTF_8);
        }
    }

    private SafetensorsWriter() {}

    static void write(Path file, SequencedMap<String, Tensor> tensors, Map<String, String> metadata) {
        List<Item> items = new ArrayList<>();
        tensors.forEach((name, tensor) -> items.add(new Item(requireName(file, name), tensor, DType.of(tensor))));
        items.sort(Comparator.comparingInt((Item item) -> -REFERENCE_ORDER.indexOf(item.type()))
                .thenComparing(Item::nameBytes, Arrays::compareUnsigned));
        AtomicFile.write(file, channel -> {
            NativeBytes.writeFully(channel, header(items, metadata));
            for (Item item : items) {
                NativeBytes.stream(item.tensor(), chunk -> NativeBytes.writeFully(channel, chunk));
            }
        });
    }

    private static String requireName(Path file, String name) {
        if (name.equals(SafetensorsHeader.METADATA)
                || !StandardCharsets.UTF_8.newEncoder().canEncode(name)) {
            throw new LoricaException.BadInput(
                    file + ": " + Faults.quote(name) + " cannot be the name of a tensor in safetensors; rename it");
        }
        return name;
    }

    private static ByteBuffer header(List<Item> items, Map<String, String> metadata) throws IOException {
        ByteArrayOutputStream json = new ByteArrayOutputStream();
        try (JsonGenerator out = new JsonFactory().createGenerator(json)) {
            out.writeStartObject();
            if (!metadata.isEmpty()) {
                out.writeObjectFieldStart(SafetensorsHeader.METADATA);
                for (Map.Entry<String, String> entry : metadata.entrySet()) {
                    out.writeStringField(entry.getKey(), entry.getValue());
                }
                out.writeEndObject();
            }
            long begin = 0;
            for (Item item : items) {
                long end = begin + Tensors.bytes(item.tensor());
                writeItem(out, item, begin, end);
                begin = end;
            }
            out.writeEndObject();
        }
        int padding = -json.size() & 7;
        json.writeBytes(" ".repeat(padding).getBytes(StandardCharsets.US_ASCII));
        return ByteBuffer.allocate(Long.BYTES + json.size())
                .order(ByteOrder.LITTLE_ENDIAN)
                .putLong(json.size())
                .put(json.toByteArray())
                .flip();
    }

    private static void writeItem(JsonGenerator out, Item item, long begin, long end) throws IOException {
        out.writeObjectFieldStart(item.name());
        out.writeStringField("dtype", item.type().name());
        out.writeFieldName("shape");
        long[] shape = Tensors.shape(item.tensor());
        out.writeArray(shape, 0, shape.length);
        out.writeFieldName("data_offsets");
        out.writeArray(new long[] {begin, end}, 0, 2);
        out.writeEndObject();
    }
}
