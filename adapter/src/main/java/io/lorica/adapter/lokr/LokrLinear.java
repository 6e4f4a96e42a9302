package io.lorica.adapter.lokr;

import io.lorica.adapter.SiteAdapter;
import io.lorica.adapter.lowrank.LowRank;
import io.lorica.model.Linear;
import io.lorica.model.Pass;
import io.lorica.model.Site;
import io.lorica.tensor.DType;
import io.lorica.tensor.Grad;
import io.lorica.tensor.Scope;
import io.lorica.tensor.Seed;
import io.lorica.tensor.Tensors;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Objects;
import java.util.SequencedMap;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;

/**
 * LoKr on a linear site: {@code D = s (W1 kron W2)} with {@code W1: [l, m]}, {@code W2: [k, n]}, {@code out = l k},
 * {@code in = m n}, {@code s = alpha / r}; block ij of D is {@code s W1_ij W2}.
 *
 * <p>Either factor may be a product of rank r: {@code W2 = A B} where r is below half of its larger side, {@code W1} with
 * {@code decompose_both} likewise. PEFT forms D; here it is never formed: with the input as {@code [m, n]},
 * {@code D x = s W1 x W2^T}, about {@code in k + out m} instead of {@code in out} multiplications for a token.
 */
final class LokrLinear implements SiteAdapter {
    private final Linear site;
    private final LokrConfig config;
    private final double scaling;
    private final SequencedMap<String, Tensor> tensors = new LinkedHashMap<>();

    LokrLinear(Linear site, LokrConfig config, Seed seed) {
        this.site = site;
        this.config = config;
        scaling = config.common().ranks().scaling(site.name());
        long r = config.common().ranks().rank(site.name());
        Factors out = Factors.of(site.out(), config.factor());
        Factors in = Factors.of(site.in(), config.factor());
        try (Scope _ = Scope.open();
                Grad _ = Grad.disabled()) {
            boolean smallZero = config.init() == LokrConfig.Init.SMALL;
            if (config.both() && 2 * r < Math.max(out.small(), in.small())) {
                put("lokr_w1_a", seed, out.small(), r, smallZero);
                put("lokr_w1_b", seed, r, in.small(), false);
            } else {
                put("lokr_w1", seed, out.small(), in.small(), smallZero);
            }
            boolean largeZero = config.init() == LokrConfig.Init.LARGE;
            if (2 * r < Math.max(out.large(), in.large())) {
                put("lokr_w2_a", seed, out.large(), r, false);
                put("lokr_w2_b", seed, r, in.large(), largeZero);
            } else {
                put("lokr_w2", seed, out.large(), in.large(), largeZero);
            }
        }
    }

    private void put(String key, Seed seed, long rows, long columns, boolean zero) {
        tensors.put(
                key,
                Scope.release(
                        zero ? Tensors.zeros(DType.F32, rows, columns) : LowRank.kaiming(seed.of(key), rows, columns)));
    }

    @Override
    public Site site() {
        return site;
    }

    @Override
    public SequencedMap<String, Tensor> tensors() {
        return tensors;
    }

    private Tensor tensor(String key) {
        return Objects.requireNonNull(tensors.get(key), key);
    }

    private Tensor whole(String key) {
        return tensors.containsKey(key) ? tensor(key) : tensor(key + "_a").mm(tensor(key + "_b"));
    }

    @Override
    public Tensor apply(Tensor input, Tensor base, Tensor result, double weight, Pass pass) {
        if (config.common().dropped(pass, site.name())) {
            return result;
        }
        DType type = DType.of(base);
        Tensor w1 = LowRank.times(whole("lokr_w1"), scaling * weight);
        long[] shape = Tensors.shape(input);
        long[] split = Arrays.copyOf(shape, shape.length + 1);
        split[shape.length - 1] = w1.size(1);
        split[shape.length] = shape[shape.length - 1] / w1.size(1);
        Tensor inner = Tensors.to(input, type).reshape(split); // [..., m, n]
        Tensor right = times(inner, "lokr_w2", type).transpose(-1, -2); // [..., k, m]
        Tensor both = right.matmul(Tensors.to(w1, type).t()).transpose(-1, -2); // [..., l, k]
        Tensor branch = both.reshape(Tensors.shape(base));
        return result.add(config.common().dropRows(branch, -1, config.rescale(), pass, site.name()));
    }

    /** {@code x W^T}, through the narrow middle where W is a product. */
    private Tensor times(Tensor x, String key, DType type) {
        return tensors.containsKey(key)
                ? x.matmul(Tensors.to(tensor(key), type).t())
                : x.matmul(Tensors.to(tensor(key + "_b"), type).t())
                        .matmul(Tensors.to(tensor(key + "_a"), type).t());
    }

    @Override
    public Tensor change(Tensor matrix) {
        try (Scope scope = Scope.open();
                Grad _ = Grad.disabled()) {
            return scope.keep(torch.kron(LowRank.times(whole("lokr_w1"), scaling), whole("lokr_w2")));
        }
    }
}
