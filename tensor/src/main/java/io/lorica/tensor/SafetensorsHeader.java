package io.lorica.tensor;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.JsonToken;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SequencedMap;
import org.jspecify.annotations.Nullable;

/**
 * The header of a safetensors file, checked in full: 8 bytes little-endian header length, that many bytes of JSON, then
 * the tensors' bytes without a gap.
 *
 * <p>Parsed as a stream, so that a hostile header cannot make more objects than its tensors need.
 */
final class SafetensorsHeader {
    static final String METADATA = "__metadata__";
    static final ValueLayout.OfLong LENGTH = ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    /** The limit of the reference implementation. */
    static final long MAX_HEADER_BYTES = 100_000_000;

    private static final int MAX_DIMENSIONS = 32;
    private static final String ADVICE = "the file is damaged or is not safetensors: fetch or save it again";
    private static final JsonFactory JSON = JsonFactory.builder()
            .disable(JsonFactory.Feature.INTERN_FIELD_NAMES)
            .disable(JsonFactory.Feature.CANONICALIZE_FIELD_NAMES)
            .configure(com.fasterxml.jackson.core.StreamReadFeature.STRICT_DUPLICATE_DETECTION, true)
            .build();

    /** A tensor's type, shape and place, {@code begin} and {@code end} counted from the start of the file. */
    record Entry(DType type, long[] shape, long begin, long end) {}

    private final Path file;
    private final Faults faults;
    private final SequencedMap<String, String> metadata = new LinkedHashMap<>();
    private final SequencedMap<String, Entry> entries = new LinkedHashMap<>();
    private final long dataStart;
    private final long fileSize;

    private SafetensorsHeader(Path file, long dataStart, long fileSize) {
        this.file = file;
        this.faults = new Faults(file);
        this.dataStart = dataStart;
        this.fileSize = fileSize;
    }

    static SafetensorsHeader read(MappedFile mapped) {
        Path file = mapped.path();
        MemorySegment bytes = mapped.bytes();
        if (bytes.byteSize() < Long.BYTES) {
            throw Faults.fatal(file, "has " + bytes.byteSize() + " bytes, too few for a safetensors header", ADVICE);
        }
        long length = bytes.get(LENGTH, 0);
        long rest = bytes.byteSize() - Long.BYTES;
        if (length < 2 || length > Math.min(rest, MAX_HEADER_BYTES)) {
            throw Faults.fatal(
                    file,
                    "states a header of " + Long.toUnsignedString(length) + " bytes, but " + rest
                            + " bytes follow and at most " + MAX_HEADER_BYTES + " are allowed",
                    ADVICE);
        }
        SafetensorsHeader header = new SafetensorsHeader(file, Long.BYTES + length, bytes.byteSize());
        header.parse(header.decode(bytes.asSlice(Long.BYTES, length)));
        header.faults.throwIfAny(ADVICE);
        header.checkLayout();
        header.faults.throwIfAny(ADVICE);
        return header;
    }

    SequencedMap<String, String> metadata() {
        return metadata;
    }

    SequencedMap<String, Entry> entries() {
        return entries;
    }

    private String decode(MemorySegment header) {
        try {
            String json = StandardCharsets.UTF_8
                    .newDecoder()
                    .decode(header.asByteBuffer())
                    .toString();
            if (json.charAt(0) != '{') {
                throw Faults.fatal(file, "the header does not begin with '{'", ADVICE);
            }
            return json;
        } catch (CharacterCodingException e) {
            throw Faults.fatal(file, "the header is not UTF-8", ADVICE);
        }
    }

    private void parse(String json) {
        try (JsonParser parser = JSON.createParser(json)) {
            parser.nextToken();
            while (parser.nextToken() == JsonToken.FIELD_NAME) {
                String name = parser.currentName();
                JsonToken value = parser.nextToken();
                if (value != JsonToken.START_OBJECT) {
                    faults.add("key " + Faults.quote(name) + " is not an object");
                    parser.skipChildren();
                } else if (name.equals(METADATA)) {
                    parseMetadata(parser);
                } else {
                    parseTensor(name, parser);
                }
            }
            if (parser.nextToken() != null) {
                faults.add("something follows the header's object");
            }
        } catch (JsonProcessingException e) {
            throw Faults.fatal(file, "the header is not valid JSON: " + Faults.quote(e.getOriginalMessage()), ADVICE);
        } catch (IOException e) {
            throw new LoricaException.Internal("cannot parse the header of " + file, e);
        }
    }

    private void parseMetadata(JsonParser parser) throws IOException {
        while (parser.nextToken() == JsonToken.FIELD_NAME) {
            String key = parser.currentName();
            if (parser.nextToken() == JsonToken.VALUE_STRING) {
                metadata.put(key, parser.getText());
            } else {
                faults.add(METADATA + " key " + Faults.quote(key) + " is not a string");
                parser.skipChildren();
            }
        }
    }

    private void parseTensor(String name, JsonParser parser) throws IOException {
        DType type = null;
        long[] shape = null;
        long[] offsets = null;
        while (parser.nextToken() == JsonToken.FIELD_NAME) {
            String key = parser.currentName();
            JsonToken value = parser.nextToken();
            switch (key) {
                case "dtype" -> type = parseType(name, value, parser);
                case "shape" -> shape = parseLongs(name, key, MAX_DIMENSIONS, parser);
                case "data_offsets" -> offsets = parseLongs(name, key, 2, parser);
                default -> {
                    faults.add("tensor " + Faults.quote(name) + " has an unknown key " + Faults.quote(key));
                    parser.skipChildren();
                }
            }
        }
        if (type == null || shape == null || offsets == null || offsets.length != 2) {
            faults.add("tensor " + Faults.quote(name) + " lacks a valid dtype, shape or data_offsets");
            return;
        }
        check(name, type, shape, offsets).ifPresent(entry -> entries.put(name, entry));
    }

    private @Nullable DType parseType(String name, JsonToken value, JsonParser parser) throws IOException {
        if (value != JsonToken.VALUE_STRING) {
            parser.skipChildren();
            return null;
        }
        try {
            return DType.fromSafetensors(parser.getText());
        } catch (LoricaException.BadInput e) {
            faults.add("tensor " + Faults.quote(name) + " has " + e.getMessage());
            return null;
        }
    }

    private long @Nullable [] parseLongs(String name, String key, int limit, JsonParser parser) throws IOException {
        if (parser.currentToken() != JsonToken.START_ARRAY) {
            parser.skipChildren();
            return null;
        }
        long[] values = new long[limit];
        int count = 0;
        boolean valid = true;
        for (JsonToken token = parser.nextToken(); token != JsonToken.END_ARRAY; token = parser.nextToken()) {
            if (token == JsonToken.VALUE_NUMBER_INT
                    && parser.getNumberType() != JsonParser.NumberType.BIG_INTEGER
                    && count < limit) {
                values[count++] = parser.getLongValue();
            } else {
                valid = false;
                parser.skipChildren();
            }
        }
        if (!valid) {
            faults.add("tensor " + Faults.quote(name) + ": " + key + " is not a list of at most " + limit
                    + " whole numbers of 64 bits");
            return null;
        }
        return Arrays.copyOf(values, count);
    }

    private Optional<Entry> check(String name, DType type, long[] shape, long[] offsets) {
        long dataSize = fileSize - dataStart;
        String tensor = "tensor " + Faults.quote(name) + ": ";
        if (offsets[0] < 0 || offsets[1] < offsets[0] || offsets[1] > dataSize) {
            faults.add(tensor + "data_offsets " + Arrays.toString(offsets) + " do not lie in the " + dataSize
                    + " bytes of data");
            return Optional.empty();
        }
        long bytes = Shapes.bytes(shape, 1, type.bytes());
        if (bytes < 0) {
            faults.add(tensor + "shape " + Arrays.toString(shape) + " is negative or has more than 2^63 bytes");
            return Optional.empty();
        }
        if (bytes != offsets[1] - offsets[0]) {
            faults.add(tensor + type + " " + Arrays.toString(shape) + " needs " + bytes + " bytes, but data_offsets "
                    + Arrays.toString(offsets) + " hold " + (offsets[1] - offsets[0]));
            return Optional.empty();
        }
        return Optional.of(new Entry(type, shape, dataStart + offsets[0], dataStart + offsets[1]));
    }

    /** The tensors must cover the data exactly: no overlap, no gap, nothing behind. */
    private void checkLayout() {
        List<Map.Entry<String, Entry>> ordered = new ArrayList<>(entries.entrySet());
        ordered.sort(Comparator.comparingLong(
                        (Map.Entry<String, Entry> e) -> e.getValue().begin())
                .thenComparingLong(e -> e.getValue().end()));
        long end = dataStart;
        for (Map.Entry<String, Entry> item : ordered) {
            Entry entry = item.getValue();
            if (entry.begin() != end) {
                faults.add("tensor " + Faults.quote(item.getKey()) + " begins at data byte "
                        + (entry.begin() - dataStart) + " where " + (end - dataStart) + " is expected ("
                        + (entry.begin() < end ? "overlap" : "gap") + ")");
            }
            end = entry.end();
        }
        if (end != fileSize) {
            faults.add((fileSize - end) + " bytes at the end belong to no tensor");
        }
    }
}
