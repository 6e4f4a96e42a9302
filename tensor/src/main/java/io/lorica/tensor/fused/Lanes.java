package io.lorica.tensor.fused;

import java.lang.foreign.MemorySegment;
import java.nio.ByteOrder;
import jdk.incubator.vector.ByteVector;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.ShortVector;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorShape;
import jdk.incubator.vector.VectorShuffle;
import jdk.incubator.vector.VectorSpecies;

/**
 * Arithmetic on the vectors of {@link Rows}. All of it must become part of the loops that call it: a vector that is handed to
 * or from a method of its own is an object on the heap, and a server whose compiler chose so answered a third as fast. The
 * compiler decides by what it happened to compile before, so it is told to ({@code -XX:CompileCommand=inline} for this class,
 * with {@code Rows::vector} and {@code Rows::put}; the flags are {@code lorica.jvm} in the parent's pom).
 */
final class Lanes {
    // Lanes turned by so many, to add halves. Constants each, since only such become one instruction.
    private static final VectorShuffle<Float> BY_1 = turned(1);
    private static final VectorShuffle<Float> BY_2 = turned(2);
    private static final VectorShuffle<Float> BY_4 = turned(4);
    private static final VectorShuffle<Float> BY_8 = turned(8);

    static final VectorSpecies<Byte> BYTES =
            VectorSpecies.of(byte.class, VectorShape.forBitSize(Math.max(64, Rows.FLOATS.vectorBitSize() / 4)));

    private Lanes() {}

    static FloatVector widen(ShortVector values) {
        IntVector bits = (IntVector) values.convertShape(VectorOperators.ZERO_EXTEND_S2I, Rows.INTS, 0);
        return bits.lanewise(VectorOperators.LSHL, 16).reinterpretAsFloats();
    }

    static ShortVector narrow(FloatVector values) {
        return (ShortVector) roundedBits(values)
                .lanewise(VectorOperators.LSHR, 16)
                .convertShape(VectorOperators.I2S, Rows.SHORTS, 0);
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
        if (Rows.LANES > 8) {
            sum = sum.add(sum.rearrange(BY_8));
        }
        if (Rows.LANES > 4) {
            sum = sum.add(sum.rearrange(BY_4));
        }
        if (Rows.LANES > 2) {
            sum = sum.add(sum.rearrange(BY_2));
        }
        sum = sum.add(sum.rearrange(BY_1));
        return sum.lane(0);
    }

    private static VectorShuffle<Float> turned(int by) {
        return VectorShuffle.fromOp(Rows.FLOATS, lane -> (lane + by) % Rows.LANES);
    }

    static FloatVector broadcast(float value) {
        return FloatVector.broadcast(Rows.FLOATS, value);
    }

    /** {@code 1 / (1 + e^-x)}. */
    static FloatVector sigmoid(FloatVector x) {
        return broadcast(1).div(exp(x.neg()).add(1));
    }

    /** As many signed bytes as there are lanes. */
    static FloatVector codes(MemorySegment memory, long at) {
        return (FloatVector) ByteVector.fromMemorySegment(BYTES, memory, at, ByteOrder.LITTLE_ENDIAN)
                .convertShape(VectorOperators.B2I, Rows.INTS, 0)
                .convertShape(VectorOperators.I2F, Rows.FLOATS, 0);
    }
}
