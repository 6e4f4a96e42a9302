package io.lorica.tensor;

import org.bytedeco.pytorch.GeneratorOptional;
import org.bytedeco.pytorch.Tensor;

/**
 * A random basis as a stream of blocks that an integer brings back: the same seed and the same order of shapes and types
 * give the same bits, whatever else draws in between.
 *
 * <p>The numbers are those of {@code torch.Generator(device="cpu").manual_seed(seed)}, so that a basis that a Python
 * program did not save can be had again here. They do not depend on libtorch's global generator, nor on threads.
 */
public final class SeededBasis implements AutoCloseable {
    private final GeneratorOptional generator;

    /** @param seed any 64-bit number, as given to {@code manual_seed} */
    public SeededBasis(long seed) {
        try (Scope _ = Scope.open()) {
            generator = new Seed(seed).generator();
            generator.retainReference();
        }
    }

    /**
     * The next block, uniform within {@code bound}.
     *
     * @param type in which it is drawn; a draw in a narrower type gives other numbers, not rounded ones
     * @return owned by the caller's innermost scope
     */
    public Tensor uniform(DType type, double bound, long... shape) {
        return Tensors.empty(type, shape).uniform_(-bound, bound, generator);
    }

    /** The next block, uniform from 0 to 1. Owned by the caller's innermost scope. */
    public Tensor unit(long... shape) {
        return Tensors.empty(DType.F32, shape).uniform_(0, 1, generator);
    }

    /** The first number of a seed's stream: differs where a generator would bring back another basis. */
    public static double fingerprint(long seed) {
        try (Scope _ = Scope.open();
                SeededBasis basis = new SeededBasis(seed)) {
            return basis.unit(1).item_double();
        }
    }

    /** Kaiming's bound {@code sqrt(3) gain / sqrt(fanIn)} of a uniform draw, in the order in which torch rounds it. */
    public static double kaimingBound(double gain, long fanIn) {
        return Math.sqrt(3.0) * (gain / Math.sqrt((double) fanIn));
    }

    /** {@link #kaimingBound} for {@code a = sqrt 5}, torch's default of linear layers: {@code 1 / sqrt(fanIn)}. */
    public static double linearBound(long fanIn) {
        return kaimingBound(Math.sqrt(2.0 / (1 + Math.pow(Math.sqrt(5), 2))), fanIn);
    }

    @Override
    public void close() {
        generator.close();
    }
}
