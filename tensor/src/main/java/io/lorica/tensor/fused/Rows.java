package io.lorica.tensor.fused;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.Arrays;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.ShortVector;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorShape;
import jdk.incubator.vector.VectorShuffle;
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
    private static final VectorSpecies<Integer> INTS = VectorSpecies.of(int.class, FLOATS.vectorShape());
    private static final VectorSpecies<Short> SHORTS =
            VectorSpecies.of(short.class, VectorShape.forBitSize(FLOATS.vectorBitSize() / 2));

    // Lanes turned by so many, to add halves. Constants each, since only such become one instruction.
    private static final VectorShuffle<Float> BY_1 = turned(1);
    private static final VectorShuffle<Float> BY_2 = turned(2);
    private static final VectorShuffle<Float> BY_4 = turned(4);
    private static final VectorShuffle<Float> BY_8 = turned(8);

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

    /** Where a contiguous tensor lies. */
    @SuppressWarnings("restricted") // the segment is as long as the tensor says
    static MemorySegment memory(Tensor tensor, long bytes) {
        return MemorySegment.ofAddress(tensor.data_ptr().address()).reinterpret(bytes);
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
                : widen(ShortVector.fromMemorySegment(SHORTS, memory, at * 2, ByteOrder.LITTLE_ENDIAN));
    }

    private float single(long at) {
        return wide ? memory.get(FLOAT, at * 4) : Float.intBitsToFloat(memory.get(SHORT, at * 2) << 16);
    }

    private static FloatVector widen(ShortVector values) {
        IntVector bits = (IntVector) values.convertShape(VectorOperators.ZERO_EXTEND_S2I, INTS, 0);
        return bits.lanewise(VectorOperators.LSHL, 16).reinterpretAsFloats();
    }

    /** Writes {@code n} elements to element {@code offset} on, rounded to nearest even where the tensor is bfloat16. */
    void write(long offset, int n, float[] from) {
        int whole = FLOATS.loopBound(n);
        for (int i = 0; i < whole; i += LANES) {
            put(offset + i, FloatVector.fromArray(FLOATS, from, i));
        }
        if (whole < n && whole > 0) {
            put(offset + n - LANES, FloatVector.fromArray(FLOATS, from, n - LANES));
        } else if (whole < n) {
            for (int i = 0; i < n; i++) {
                put(offset + i, from[i]);
            }
        }
    }

    private void put(long at, FloatVector values) {
        if (wide) {
            values.intoMemorySegment(memory, at * 4, ByteOrder.LITTLE_ENDIAN);
        } else {
            narrow(values).intoMemorySegment(memory, at * 2, ByteOrder.LITTLE_ENDIAN);
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

    private static ShortVector narrow(FloatVector values) {
        return (ShortVector)
                roundedBits(values).lanewise(VectorOperators.LSHR, 16).convertShape(VectorOperators.I2S, SHORTS, 0);
    }

    /** Rounded to the nearest bfloat16, ties to even. */
    static FloatVector rounded(FloatVector values) {
        return roundedBits(values).and(0xffff0000).reinterpretAsFloats();
    }

    private static IntVector roundedBits(FloatVector values) {
        IntVector bits = values.reinterpretAsInts();
        return bits.add(bits.lanewise(VectorOperators.LSHR, 16).and(1)).add(0x7fff);
    }

    /**
     * {@code e^x} to 3e-7 relative, for {@code x} from -87 to 88; beyond, the value at that end. The Vector API's own may
     * round otherwise once it is compiled, and a resumed run must be bit-equal.
     *
     * <p>{@code e^x = 2^k e^r} with {@code k} the nearest integer to {@code x / ln 2} and {@code |r| <= ln 2 / 2}, where a
     * Taylor polynomial of degree 6 is exact enough.
     */
    static FloatVector exp(FloatVector x) {
        FloatVector bounded = x.max(-87f).min(88f);
        // Adding 1.5 * 2^23 leaves the nearest integer in the low bits.
        FloatVector shifted = bounded.mul(1.442695f).add(12582912f);
        FloatVector k = shifted.sub(12582912f);
        FloatVector r = k.fma(broadcast(-0x1.62e4p-1f), bounded);
        r = k.fma(broadcast((float) -1.42860677e-6), r);
        FloatVector p = broadcast(1f / 720);
        p = p.fma(r, broadcast(1f / 120));
        p = p.fma(r, broadcast(1f / 24));
        p = p.fma(r, broadcast(1f / 6));
        p = p.fma(r, broadcast(0.5f));
        p = p.fma(r, broadcast(1f));
        p = p.fma(r, broadcast(1f));
        IntVector exponent = shifted.reinterpretAsInts().lanewise(VectorOperators.LSHL, 23);
        return p.reinterpretAsInts().add(exponent).reinterpretAsFloats();
    }

    /**
     * The sum of the lanes: the upper half added to the lower until one is left. The Vector API's own may round otherwise
     * once it is compiled.
     */
    static float sum(FloatVector values) {
        FloatVector sum = values;
        if (LANES > 8) {
            sum = sum.add(sum.rearrange(BY_8));
        }
        if (LANES > 4) {
            sum = sum.add(sum.rearrange(BY_4));
        }
        if (LANES > 2) {
            sum = sum.add(sum.rearrange(BY_2));
        }
        sum = sum.add(sum.rearrange(BY_1));
        return sum.lane(0);
    }

    private static VectorShuffle<Float> turned(int by) {
        return VectorShuffle.fromOp(FLOATS, lane -> (lane + by) % LANES);
    }

    static FloatVector broadcast(float value) {
        return FloatVector.broadcast(FLOATS, value);
    }
}
