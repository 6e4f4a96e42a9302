package io.lorica.tensor.fused;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.Arrays;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.ShortVector;
import jdk.incubator.vector.VectorShape;
import jdk.incubator.vector.VectorSpecies;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;

/**
 * The elements of a contiguous CPU tensor, read into and written from rows of floats whose length is rounded up to whole
 * vectors, so that kernels have no remainder to treat. What lies behind the last element reads as zero.
 */
final class Rows {
    static final VectorSpecies<Float> FLOATS =
            FloatVector.SPECIES_PREFERRED.length() > 16 ? FloatVector.SPECIES_512 : FloatVector.SPECIES_PREFERRED;
    static final int LANES = FLOATS.length();
    static final VectorSpecies<Integer> INTS = VectorSpecies.of(int.class, FLOATS.vectorShape());
    static final VectorSpecies<Short> SHORTS =
            VectorSpecies.of(short.class, VectorShape.forBitSize(FLOATS.vectorBitSize() / 2));

    private static final ValueLayout.OfFloat FLOAT =
            ValueLayout.JAVA_FLOAT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfShort SHORT =
            ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    private final MemorySegment memory;
    private final boolean wide;

    /** @param tensor contiguous, bfloat16 or float32, alive as long as this is used */
    Rows(Tensor tensor) {
        wide = tensor.scalar_type().intern() == ScalarType.Float;
        memory = memory(tensor, tensor.numel() * (wide ? 4 : 2));
    }

    /** Where a contiguous tensor lies; one without elements lies nowhere. */
    @SuppressWarnings("restricted") // the segment is as long as the tensor says
    static MemorySegment memory(Tensor tensor, long bytes) {
        return bytes == 0
                ? MemorySegment.NULL
                : MemorySegment.ofAddress(tensor.data_ptr().address()).reinterpret(bytes);
    }

    /** Copies all elements of {@code source}, which has the same type, to element {@code offset} on. */
    void copy(long offset, Rows source) {
        long at = offset * (wide ? 4 : 2);
        MemorySegment.copy(source.memory, 0, memory, at, source.memory.byteSize());
    }

    /** {@code n} rounded up to whole vectors. */
    static int padded(int n) {
        return (n + LANES - 1) / LANES * LANES;
    }

    static float[] scratch(int n) {
        return new float[padded(n)];
    }

    /** Whether values are rounded to bfloat16 when written. */
    boolean rounds() {
        return !wide;
    }

    /**
     * Reads {@code n} elements from element {@code offset} on, and zeros up to a whole vector. The last vector overlaps
     * the one before where {@code n} is no whole number of them, so that no access is masked.
     */
    void read(long offset, int n, float[] into) {
        read(offset, n, into, 0);
    }

    /** The same into elements {@code at} to {@code at + padded(n)}. */
    void read(long offset, int n, float[] into, int at) {
        int whole = FLOATS.loopBound(n);
        for (int i = 0; i < whole; i += LANES) {
            vector(offset + i).intoArray(into, at + i);
        }
        if (whole < n) {
            if (whole > 0) {
                vector(offset + n - LANES).intoArray(into, at + n - LANES);
            } else {
                for (int i = 0; i < n; i++) {
                    into[at + i] = single(offset + i);
                }
            }
            Arrays.fill(into, at + n, at + padded(n), 0);
        }
    }

    /** {@link #LANES} elements from element {@code at} on, all of which must be there. */
    FloatVector vector(long at) {
        return wide
                ? FloatVector.fromMemorySegment(FLOATS, memory, at * 4, ByteOrder.LITTLE_ENDIAN)
                : Lanes.widen(ShortVector.fromMemorySegment(SHORTS, memory, at * 2, ByteOrder.LITTLE_ENDIAN));
    }

    private float single(long at) {
        return wide ? memory.get(FLOAT, at * 4) : Float.intBitsToFloat(memory.get(SHORT, at * 2) << 16);
    }

    /** Writes {@code n} elements to element {@code offset} on, rounded to nearest even where the tensor is bfloat16. */
    void write(long offset, int n, float[] from) {
        write(offset, n, from, 0);
    }

    /** The same from elements {@code at} to {@code at + n}. */
    void write(long offset, int n, float[] from, int at) {
        int whole = FLOATS.loopBound(n);
        for (int i = 0; i < whole; i += LANES) {
            put(offset + i, FloatVector.fromArray(FLOATS, from, at + i));
        }
        if (whole < n && whole > 0) {
            put(offset + n - LANES, FloatVector.fromArray(FLOATS, from, at + n - LANES));
        } else if (whole < n) {
            for (int i = 0; i < n; i++) {
                put(offset + i, from[at + i]);
            }
        }
    }

    private void put(long at, FloatVector values) {
        if (wide) {
            values.intoMemorySegment(memory, at * 4, ByteOrder.LITTLE_ENDIAN);
        } else {
            Lanes.narrow(values).intoMemorySegment(memory, at * 2, ByteOrder.LITTLE_ENDIAN);
        }
    }

    private void put(long at, float value) {
        if (wide) {
            memory.set(FLOAT, at * 4, value);
        } else {
            int bits = Float.floatToRawIntBits(value);
            memory.set(SHORT, at * 2, (short) ((bits + 0x7fff + ((bits >>> 16) & 1)) >>> 16));
        }
    }
}
