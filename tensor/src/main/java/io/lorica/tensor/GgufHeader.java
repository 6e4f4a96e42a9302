package io.lorica.tensor;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SequencedMap;

/**
 * The header of a GGUF file of version 2 or 3, checked in full: magic, version, counts, typed metadata, tensor infos.
 * Tensor data begins at the next multiple of {@code general.alignment} (default 32).
 */
record GgufHeader(int version, SequencedMap<String, Object> values, SequencedMap<String, Entry> entries) {
    static final int MAGIC = 0x46554747; // "GGUF"
    static final int DEFAULT_ALIGNMENT = 32;
    static final String ALIGNMENT = "general.alignment";

    private static final int MAX_DIMENSIONS = 4;
    private static final long MAX_ALIGNMENT = 1 << 20;
    private static final long MAX_COUNT = 1 << 24;

    /** A tensor's type, shape in torch's order and place, {@code begin} counted from the start of the file. */
    record Entry(GgmlType type, long[] shape, long begin, long bytes) {}

    private record Raw(String name, long[] shape, GgmlType type, long offset) {}

    static GgufHeader read(MappedFile mapped) {
        GgufCursor cursor = new GgufCursor(mapped.path(), mapped.bytes());
        int version = readVersion(cursor, mapped.path());
        long tensorCount = cursor.count("the number of tensors", 8 + 4 + 4 + 8, MAX_COUNT);
        long valueCount = cursor.count("the number of metadata values", 8 + 4 + 1, MAX_COUNT);
        SequencedMap<String, Object> values = readValues(cursor, valueCount);
        long alignment = alignment(cursor, values);
        SequencedMap<String, Raw> raw = readInfos(cursor, mapped.path(), tensorCount);
        long dataStart = -Math.floorDiv(-cursor.position(), alignment) * alignment;
        return new GgufHeader(version, values, place(mapped, raw, dataStart, alignment));
    }

    private static int readVersion(GgufCursor cursor, Path file) {
        if (cursor.int32("the magic") != MAGIC) {
            throw cursor.fault("does not begin with GGUF");
        }
        int version = cursor.int32("the version");
        if (version == 1 || Integer.reverseBytes(version) == 2 || Integer.reverseBytes(version) == 3) {
            throw new LoricaException.Unsupported(file + ": "
                    + (version == 1 ? "GGUF version 1" : "big-endian GGUF")
                    + " is not supported; convert it to little-endian GGUF version 3");
        }
        if (version != 2 && version != 3) {
            throw cursor.fault(
                    "has the unknown GGUF version " + Integer.toUnsignedString(version) + " (known: 2 and 3)");
        }
        return version;
    }

    private static SequencedMap<String, Object> readValues(GgufCursor cursor, long count) {
        SequencedMap<String, Object> values = new LinkedHashMap<>();
        for (long i = 0; i < count; i++) {
            String key = cursor.string("metadata key " + i);
            if (values.put(key, cursor.value("metadata " + Faults.quote(key))) != null) {
                throw cursor.fault("metadata " + Faults.quote(key) + " occurs twice");
            }
        }
        return values;
    }

    private static long alignment(GgufCursor cursor, Map<String, Object> values) {
        Object value = values.getOrDefault(ALIGNMENT, (long) DEFAULT_ALIGNMENT);
        if (value instanceof Long alignment
                && alignment > 0
                && alignment <= MAX_ALIGNMENT
                && Long.bitCount(alignment) == 1) {
            return alignment;
        }
        throw cursor.fault(ALIGNMENT + " is " + Faults.quote(String.valueOf(value)) + ", not a power of two up to "
                + MAX_ALIGNMENT);
    }

    private static SequencedMap<String, Raw> readInfos(GgufCursor cursor, Path file, long count) {
        SequencedMap<String, Raw> infos = new LinkedHashMap<>();
        for (long i = 0; i < count; i++) {
            String name = cursor.string("the name of tensor " + i);
            String tensor = "tensor " + Faults.quote(name);
            int dimensions = cursor.int32("the number of dimensions of " + tensor);
            if (dimensions < 0 || dimensions > MAX_DIMENSIONS) {
                throw cursor.fault(tensor + " has " + Integer.toUnsignedString(dimensions)
                        + " dimensions where at most " + MAX_DIMENSIONS + " are allowed");
            }
            long[] shape = new long[dimensions];
            for (int d = dimensions - 1; d >= 0; d--) {
                shape[d] = cursor.int64("the shape of " + tensor);
            }
            GgmlType type = type(cursor.int32("the type of " + tensor), tensor, file);
            long offset = cursor.int64("the offset of " + tensor);
            if (infos.put(name, new Raw(name, shape, type, offset)) != null) {
                throw cursor.fault(tensor + " occurs twice");
            }
        }
        return infos;
    }

    private static GgmlType type(int id, String tensor, Path file) {
        return GgmlType.of(id)
                .orElseThrow(() -> new LoricaException.Unsupported(file + ": " + tensor + " has the unknown ggml type "
                        + Integer.toUnsignedString(id) + " (supported: " + GgmlType.supported()
                        + "); convert the file to one of these"));
    }

    private static SequencedMap<String, Entry> place(
            MappedFile mapped, SequencedMap<String, Raw> infos, long dataStart, long alignment) {
        Faults faults = new Faults(mapped.path());
        SequencedMap<String, Entry> entries = new LinkedHashMap<>();
        infos.forEach((name, raw) ->
                place(raw, dataStart, mapped.size(), alignment, faults).ifPresent(entry -> entries.put(name, entry)));
        checkOverlap(entries, faults);
        faults.throwIfAny(GgufCursor.ADVICE);
        return entries;
    }

    private static Optional<Entry> place(Raw raw, long dataStart, long fileSize, long alignment, Faults faults) {
        String tensor = "tensor " + Faults.quote(raw.name()) + ": ";
        GgmlType type = raw.type();
        long bytes = Shapes.bytes(raw.shape(), type.blockElements(), type.blockBytes());
        long row = raw.shape().length == 0 ? 1 : raw.shape()[raw.shape().length - 1];
        if (bytes < 0 || row % type.blockElements() != 0) {
            faults.add(tensor + "shape " + Arrays.toString(raw.shape()) + " is negative, too large, or not in rows of "
                    + type.blockElements() + " as " + type + " needs");
            return Optional.empty();
        }
        if (raw.offset() < 0 || raw.offset() % alignment != 0) {
            faults.add(tensor + "offset " + Long.toUnsignedString(raw.offset()) + " is not a multiple of the alignment "
                    + alignment);
            return Optional.empty();
        }
        if (raw.offset() > fileSize - dataStart - bytes) {
            faults.add(tensor + bytes + " bytes at offset " + raw.offset() + " do not fit into the "
                    + Math.max(0, fileSize - dataStart) + " bytes of data");
            return Optional.empty();
        }
        return Optional.of(new Entry(type, raw.shape(), dataStart + raw.offset(), bytes));
    }

    private static void checkOverlap(SequencedMap<String, Entry> entries, Faults faults) {
        List<Map.Entry<String, Entry>> ordered = new ArrayList<>(entries.entrySet());
        ordered.sort(Comparator.comparingLong(
                        (Map.Entry<String, Entry> e) -> e.getValue().begin())
                .thenComparingLong(e -> e.getValue().bytes()));
        long end = 0;
        for (Map.Entry<String, Entry> item : ordered) {
            if (item.getValue().begin() < end) {
                faults.add("tensor " + Faults.quote(item.getKey()) + " overlaps the one before it");
            }
            end = item.getValue().begin() + item.getValue().bytes();
        }
    }
}
