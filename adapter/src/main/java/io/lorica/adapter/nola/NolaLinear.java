package io.lorica.adapter.nola;

import io.lorica.adapter.SiteAdapter;
import io.lorica.adapter.lowrank.LowRank;
import io.lorica.adapter.lowrank.Pair;
import io.lorica.model.Linear;
import io.lorica.model.Pass;
import io.lorica.model.Site;
import io.lorica.tensor.DType;
import io.lorica.tensor.Grad;
import io.lorica.tensor.Scope;
import io.lorica.tensor.Seed;
import io.lorica.tensor.SeededBasis;
import io.lorica.tensor.Tensors;
import java.util.LinkedHashMap;
import java.util.SequencedMap;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/**
 * NOLA on a linear site: LoRA whose factors are mixes, {@code A = A0 + 1/sqrt(k) sum_i alpha_i A_i} and
 * {@code B = 1/sqrt(k) sum_j beta_j B_j}, with {@code A_i: [r, in]}, {@code B_j: [out, r]} uniform in (-1, 1) and
 * {@code A0} Kaiming-uniform, all from the seed. Trained: {@code alpha, beta: [k]}, zero at the start.
 *
 * <p>As in the authors' code and not in the paper's formula: the factor {@code 1/sqrt(k)}, and A0, without which nothing would ever
 * train from zero. The seed is an own one per site and factor, while the authors' vision code uses one for all. The vision
 * form has no A0 and no {@code 1/sqrt(k)}; its matrices are Kaiming-uniform over their three dimensions and the
 * coefficients start at {@code 1/k}, so that the model changes slightly at once.
 */
final class NolaLinear implements SiteAdapter {
    private final Linear site;
    private final NolaConfig config;
    private final SequencedMap<String, Tensor> tensors = new LinkedHashMap<>();
    private final Tensor alpha;
    private final Tensor beta;
    private final @Nullable Tensor startA;
    private final RandomMix a;
    private final RandomMix b;

    NolaLinear(Linear site, NolaConfig config) {
        this.site = site;
        this.config = config;
        Seed seed = new Seed(config.seed()).of(site.name());
        long r = config.r();
        alpha = coefficients(config.basesA());
        beta = coefficients(config.basesB());
        tensors.put("nola_alpha", alpha);
        tensors.put("nola_beta", beta);
        startA = config.vision() ? null : start(seed.of("A0"), r);
        long seedA = seed.of("A").value();
        long seedB = seed.of("B").value();
        if (config.vision()) {
            a = new RandomMix(seedA, site.in(), r, SeededBasis.linearBound(site.in() * r), 1, null);
            b = new RandomMix(seedB, r, site.out(), SeededBasis.linearBound(r * site.out()), 1, null);
        } else {
            a = new RandomMix(seedA, r, site.in(), 1, 1 / Math.sqrt((double) config.basesA()), startA);
            b = new RandomMix(seedB, site.out(), r, 1, 1 / Math.sqrt((double) config.basesB()), null);
        }
    }

    private Tensor coefficients(long k) {
        try (Scope _ = Scope.open();
                Grad _ = Grad.disabled();
                Scalar start = new Scalar(config.vision() ? 1.0 / k : 0.0)) {
            return Scope.release(Tensors.empty(DType.F32, k).fill_(start));
        }
    }

    private Tensor start(Seed seed, long r) {
        try (Scope _ = Scope.open();
                Grad _ = Grad.disabled();
                SeededBasis basis = new SeededBasis(seed.value())) {
            return Scope.release(basis.uniform(DType.F32, SeededBasis.linearBound(site.in()), r, site.in()));
        }
    }

    @Override
    public Site site() {
        return site;
    }

    @Override
    public SequencedMap<String, Tensor> tensors() {
        return tensors;
    }

    @Override
    public SequencedMap<String, Tensor> saved() {
        if (!config.asLora()) {
            return tensors;
        }
        SequencedMap<String, Tensor> lora = new LinkedHashMap<>();
        lora.put(Pair.A, a().contiguous());
        lora.put(Pair.B, b().contiguous());
        return lora;
    }

    /** {@code [r, in]}. */
    private Tensor a() {
        return config.vision() ? a.of(alpha).t() : a.of(alpha);
    }

    /** {@code [out, r]}. */
    private Tensor b() {
        return config.vision() ? b.of(beta).t() : b.of(beta);
    }

    @Override
    public Tensor apply(Tensor input, Tensor base, Tensor result, double weight, Pass pass) {
        Tensor x = pass.dropout(input, config.dropout(), site.name());
        return LowRank.add(result, x, a(), b(), config.scaling() * weight);
    }

    @Override
    public Tensor change(Tensor matrix) {
        try (Scope scope = Scope.open();
                Grad _ = Grad.disabled()) {
            return scope.keep(LowRank.times(b(), config.scaling()).mm(a()));
        }
    }

    @Override
    public void close() {
        a.close();
        b.close();
        if (startA != null) {
            startA.close();
        }
        SiteAdapter.super.close();
    }
}
