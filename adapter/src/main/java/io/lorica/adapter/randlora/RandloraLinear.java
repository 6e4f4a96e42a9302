package io.lorica.adapter.randlora;

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
import java.util.LinkedHashMap;
import java.util.SequencedMap;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;

/**
 * RandLoRA on a linear site. With {@code d, D} the smaller and the larger side, {@code n = ceil(d / r)}, trained
 * {@code lambda: [r, n]} and {@code gamma: [n, d]}:
 *
 * <pre>
 * U[k n + b] = lambda[k, b] A[k] * gamma[b]       [r n, d]
 * V[:, b r + k] = B[:, b, k]                      [D, n r]
 * change = s V U where in <= out, else s (V U)^T;  s = randlora_alpha / r
 * </pre>
 *
 * <p>Row p of U and column p of V belong to different (b, k). That is how the authors' code and PEFT flatten them, and files
 * mean it; it does no harm, since the columns of V are all alike. {@code lambda} starts at 0 and {@code gamma} at
 * {@code 1 / max(n, d)}.
 */
final class RandloraLinear implements SiteAdapter {
    private static final String LAMBDA = "randlora_lambda";
    private static final String GAMMA = "randlora_gamma";

    private final Linear site;
    private final RandloraConfig config;
    private final long bases;
    private final ScaledBasis basis;
    private final SequencedMap<String, Tensor> tensors = new LinkedHashMap<>();
    private final Tensor lambda;
    private final Tensor gamma;

    RandloraLinear(Linear site, RandloraConfig config, RandloraBases shared, Seed seed) {
        this.site = site;
        this.config = config;
        bases = config.bases(site.in(), site.out());
        basis = new ScaledBasis(shared, site.in(), site.out(), bases);
        long small = Math.min(site.in(), site.out());
        double start = 1.0 / (config.init() ? Math.max(bases, small) : Math.max(site.in(), site.out()));
        try (Scope _ = Scope.open();
                Grad _ = Grad.disabled();
                Scalar scalar = new Scalar(start)) {
            lambda = Scope.release(
                    config.init()
                            ? Tensors.zeros(DType.F32, config.r(), bases)
                            : LowRank.normal(seed, config.r(), bases));
            gamma = Scope.release(Tensors.empty(DType.F32, bases, small).fill_(scalar));
        }
        tensors.put(LAMBDA, lambda);
        tensors.put(GAMMA, gamma);
    }

    @Override
    public Site site() {
        return site;
    }

    @Override
    public SequencedMap<String, Tensor> tensors() {
        return tensors;
    }

    /** The authors' scaling goes into lambda, so that PEFT's own gives the same. */
    @Override
    public SequencedMap<String, Tensor> saved() {
        if (!config.official()) {
            return tensors;
        }
        SequencedMap<String, Tensor> saved = new LinkedHashMap<>(tensors);
        saved.put(LAMBDA, LowRank.times(lambda, 1 / Math.sqrt((double) bases)));
        return saved;
    }

    @Override
    public Tensor apply(Tensor input, Tensor base, Tensor result, double weight, Pass pass) {
        Tensor x = Tensors.to(pass.dropout(input, config.dropout(), site.name()), DType.of(result));
        return basis.add(result, x, lambda, gamma, config.scaling(bases) * weight);
    }

    @Override
    public Tensor change(Tensor matrix) {
        try (Scope scope = Scope.open();
                Grad _ = Grad.disabled()) {
            return scope.keep(LowRank.times(basis.product(lambda, gamma), config.scaling(bases)));
        }
    }
}
