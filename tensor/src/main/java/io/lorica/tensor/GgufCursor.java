package io.lorica.tensor;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.math.BigInteger;
import java.nio.ByteOrder;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;

/** Reads little-endian values of a GGUF header one after the other; every length is checked against the file first. */
final class GgufCursor {
    static final String ADVICE = "the file is damaged or is not GGUF: fetch or convert it again";

    /** Elements of all arrays of a header together; the largest vocabularies have under a million. */
    private static final long MAX_ARRAY_ELEMENTS = 16L << 20;

    private static final long MAX_STRING_BYTES = 64L << 20;
    private static final int MAX_ARRAY_DEPTH = 4;
    private static final ValueLayout.OfShort SHORT =
            ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfInt INT = ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfLong LONG = ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    private final Path file;
    private final MemorySegment bytes;
    private long position;
    private long arrayElements;

    GgufCursor(Path file, MemorySegment bytes) {
        this.file = file;
        this.bytes = bytes;
    }

    long position() {
        return position;
    }

    long remaining() {
        return bytes.byteSize() - position;
    }

    LoricaException.BadInput fault(String fault) {
        return Faults.fatal(file, fault, ADVICE);
    }

    int int32(String what) {
        return bytes.get(INT, advance(Integer.BYTES, what));
    }

    long int64(String what) {
        return bytes.get(LONG, advance(Long.BYTES, what));
    }

    /** A count of things that take at least {@code minimumBytes} each in the rest of the file. */
    long count(String what, long minimumBytes, long limit) {
        long count = int64(what);
        if (count < 0 || count > limit || count > remaining() / minimumBytes) {
            throw fault(what + " is " + Long.toUnsignedString(count) + ", but " + remaining()
                    + " bytes follow and at most " + limit + " are allowed");
        }
        return count;
    }

    String string(String what) {
        long length = count("the length of " + what, 1, MAX_STRING_BYTES);
        MemorySegment text = bytes.asSlice(advance(length, what), length);
        try {
            return StandardCharsets.UTF_8
                    .newDecoder()
                    .decode(text.asByteBuffer())
                    .toString();
        } catch (CharacterCodingException e) {
            throw fault(what + " is not UTF-8");
        }
    }

    /** A metadata value: its type's number, then itself. */
    Object value(String what) {
        return value(int32("the type of " + what), what, 0);
    }

    private Object value(int type, String what, int depth) {
        return switch (type) {
            case 0 -> (long) (bytes.get(ValueLayout.JAVA_BYTE, advance(1, what)) & 0xff);
            case 1 -> (long) bytes.get(ValueLayout.JAVA_BYTE, advance(1, what));
            case 2 -> (long) (bytes.get(SHORT, advance(2, what)) & 0xffff);
            case 3 -> (long) bytes.get(SHORT, advance(2, what));
            case 4 -> int32(what) & 0xffff_ffffL;
            case 5 -> (long) int32(what);
            case 6 -> Float.intBitsToFloat(int32(what));
            case 7 -> flag(what);
            case 8 -> string(what);
            case 9 -> array(what, depth);
            case 10 -> unsigned(int64(what));
            case 11 -> int64(what);
            case 12 -> Double.longBitsToDouble(int64(what));
            default -> throw fault(what + " has the unknown value type " + Integer.toUnsignedString(type));
        };
    }

    private List<Object> array(String what, int depth) {
        if (depth == MAX_ARRAY_DEPTH) {
            throw fault(what + " nests arrays deeper than " + MAX_ARRAY_DEPTH);
        }
        int type = int32("the element type of " + what);
        int count = (int) count("the array length of " + what, minimumBytes(type, what), MAX_ARRAY_ELEMENTS);
        arrayElements += count;
        if (arrayElements > MAX_ARRAY_ELEMENTS) {
            throw fault("the arrays up to " + what + " hold more than " + MAX_ARRAY_ELEMENTS + " elements");
        }
        List<Object> values = new ArrayList<>(count);
        for (int i = 0; i < count; i++) {
            values.add(value(type, what, depth + 1));
        }
        return Collections.unmodifiableList(values);
    }

    private int minimumBytes(int type, String what) {
        return switch (type) {
            case 0, 1, 7 -> 1;
            case 2, 3 -> 2;
            case 4, 5, 6 -> 4;
            case 8, 10, 11, 12 -> 8;
            case 9 -> 12;
            default -> throw fault(what + " has the unknown element type " + Integer.toUnsignedString(type));
        };
    }

    private boolean flag(String what) {
        byte value = bytes.get(ValueLayout.JAVA_BYTE, advance(1, what));
        if (value != 0 && value != 1) {
            throw fault(what + " is a truth value of " + (value & 0xff) + " where 0 or 1 is allowed");
        }
        return value == 1;
    }

    private static Number unsigned(long value) {
        return value >= 0 ? Long.valueOf(value) : new BigInteger(Long.toUnsignedString(value));
    }

    private long advance(long count, String what) {
        if (count > remaining()) {
            throw fault("ends after " + bytes.byteSize() + " bytes, inside " + what);
        }
        long at = position;
        position += count;
        return at;
    }
}
