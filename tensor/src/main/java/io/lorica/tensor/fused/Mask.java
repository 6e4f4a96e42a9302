package io.lorica.tensor.fused;

import io.lorica.tensor.Seed;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorSpecies;

/**
 * Inverted dropout whose random numbers are a function of the seed and the element's number, so that a backward pass or a
 * second computation draws them again instead of keeping them: an element is zero with the given probability, else
 * divided by {@code 1 - probability}.
 *
 * <p>The function is two multiplications and three shifted exclusive ors of 32 bits, a bijection in the element's number
 * for each seed; its upper 24 bits are compared with the probability.
 */
final class Mask {
    static final Mask NONE = new Mask(new Seed(0), 0);

    private static final VectorSpecies<Integer> INTS = VectorSpecies.of(int.class, Rows.FLOATS.vectorShape());
    private static final IntVector LANE = IntVector.zero(INTS).addIndex(1);

    private final int first;
    private final int second;
    private final int kept;
    private final float scale;

    Mask(Seed seed, double probability) {
        first = (int) seed.value();
        second = (int) (seed.value() >>> 32);
        kept = (int) Math.round((1 - probability) * (1 << 24));
        scale = (float) (1 / (1 - probability));
    }

    /** Masks {@code n} elements of {@code x} from {@code at} on, the first of which is number {@code element}. */
    void apply(float[] x, int at, int n, int element) {
        if (kept == 1 << 24) {
            return;
        }
        for (int i = 0; i < n; i += Rows.LANES) {
            IntVector h = LANE.add(element + i).mul(0x9e3779b1).add(first);
            h = h.lanewise(VectorOperators.XOR, h.lanewise(VectorOperators.LSHR, 16))
                    .mul(0x21f0aaad);
            h = h.lanewise(VectorOperators.XOR, h.lanewise(VectorOperators.LSHR, 15))
                    .add(second)
                    .mul(0x735a2d97);
            h = h.lanewise(VectorOperators.XOR, h.lanewise(VectorOperators.LSHR, 15));
            FloatVector value = FloatVector.fromArray(Rows.FLOATS, x, at + i).mul(scale);
            Lanes.broadcast(0)
                    .blend(
                            value,
                            h.lanewise(VectorOperators.LSHR, 8)
                                    .compare(VectorOperators.LT, kept)
                                    .cast(Rows.FLOATS))
                    .intoArray(x, at + i);
        }
    }
}
