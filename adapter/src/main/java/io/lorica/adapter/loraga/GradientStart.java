package io.lorica.adapter.loraga;

import io.lorica.adapter.lowrank.LowRank;
import io.lorica.adapter.lowrank.Start;
import io.lorica.adapter.lowrank.Svd;
import io.lorica.model.Linear;
import io.lorica.tensor.Seed;
import io.lorica.tensor.Tensors;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import java.util.stream.LongStream;
import org.bytedeco.pytorch.Tensor;

/** LoRA-GA's factors from one gradient. */
final class GradientStart {
    private GradientStart() {}

    /** Which singular vectors go where. */
    private record Split(long[] a, long[] b) {}

    /**
     * The start of a site, to be taken off the frozen weight. Only the gradient's directions count, not its singular values.
     * A gradient of zero, which has no direction, gives plain LoRA's start.
     *
     * @param gradient {@code [out, in]} float32
     */
    static Start of(LoraGaConfig config, Linear site, Tensor gradient, Seed seed) {
        int r = config.lowRank().rank(site.name());
        double s = config.lowRank().scaling(site.name());
        Svd svd = Svd.exact(gradient, 2 * r);
        if (svd.s().select(0, 0).item_double() == 0) {
            return Start.lora(site, r, seed);
        }
        Split split = split(config.direction(), r, seed);
        double length = length(config, site, r, s);
        Tensor a = LowRank.times(svd.vt().index_select(0, Tensors.of(split.a())), length);
        Tensor b = LowRank.times(svd.u().index_select(1, Tensors.of(split.b())), length);
        if (config.clip()) {
            double ratio = largest(Start.frozen(site)) / (s * largest(b.mm(a)));
            double root = Math.sqrt(Math.min(1, ratio));
            return Start.of(LowRank.times(a, root), LowRank.times(b, root), true);
        }
        return Start.of(a, b, true);
    }

    private static Split split(LoraGaConfig.Direction direction, int r, Seed seed) {
        long[] first = LongStream.range(0, r).toArray();
        long[] second = LongStream.range(r, 2L * r).toArray();
        return switch (direction) {
            case ArB2r -> new Split(first, second);
            case A2rBr -> new Split(second, first);
            case ArBr ->
                new Split(
                        LongStream.range(0, r).map(i -> 2 * i + 1).toArray(),
                        LongStream.range(0, r).map(i -> 2 * i).toArray());
            case random -> {
                List<Long> all =
                        new ArrayList<>(LongStream.range(0, 2L * r).boxed().toList());
                Collections.shuffle(all, new Random(seed.of("direction").value()));
                long[] mixed = all.stream().mapToLong(Long::longValue).toArray();
                yield new Split(java.util.Arrays.copyOf(mixed, r), java.util.Arrays.copyOfRange(mixed, r, 2 * r));
            }
        };
    }

    private static double length(LoraGaConfig config, Linear site, int r, double s) {
        return switch (config.scale()) {
            case stable -> Math.pow((double) site.out(), 0.25) / Math.sqrt(config.gamma());
            case unit -> 1;
            case gd -> 1 / s;
            case weightS -> Svd.exact(Start.frozen(site), r).s().sqrt().mean().item_double() / Math.sqrt(s);
        };
    }

    private static double largest(Tensor tensor) {
        return tensor.abs().max().item_double();
    }
}
