package io.lorica.tensor;

import java.nio.charset.StandardCharsets;
import org.bytedeco.pytorch.Generator;
import org.bytedeco.pytorch.GeneratorOptional;
import org.bytedeco.pytorch.global.torch;

/**
 * A seed from which independent named streams are derived, so that adding a random draw in one place never changes the
 * numbers of another.
 *
 * @param value any 64-bit number
 */
public record Seed(long value) {

    /** The seed of a named stream, for example {@code seed.of("init").of("model.layers.0.mlp.up_proj")}. */
    public Seed of(String stream) {
        long hash = 0xcbf29ce484222325L; // FNV-1a, then the finalizer of SplitMix64
        for (byte b : stream.getBytes(StandardCharsets.UTF_8)) {
            hash = (hash ^ (b & 0xff)) * 0x100000001b3L;
        }
        return new Seed(mix(value ^ mix(hash)));
    }

    public Seed of(long index) {
        return new Seed(mix(value + 0x9e3779b97f4a7c15L * (index + 1)));
    }

    /** torch's CPU generator with this seed: the same numbers as {@code torch.Generator().manual_seed(value)}. */
    public GeneratorOptional generator() {
        Generator generator = torch.make_generator_cpu(value);
        return new GeneratorOptional(generator);
    }

    private static long mix(long z) {
        z = (z ^ (z >>> 30)) * 0xbf58476d1ce4e5b9L;
        z = (z ^ (z >>> 27)) * 0x94d049bb133111ebL;
        return z ^ (z >>> 31);
    }
}
