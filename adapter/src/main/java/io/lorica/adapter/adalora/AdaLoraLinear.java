package io.lorica.adapter.adalora;

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
import java.util.List;
import java.util.Objects;
import java.util.SequencedMap;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;

/**
 * AdaLoRA on a linear site: {@code y = W x + b + s B (E * A) dropout(x)} with {@code A: [r, in]}, {@code E: [r, 1]},
 * {@code B: [out, r]}, {@code s = alpha / (init_r + 1e-5)}. A and B start normal with deviation 0.02, E at 0. A triplet
 * is a row of A, an entry of E and a column of B.
 *
 * <p>Its state also holds, per tensor, the averages of sensitivity and uncertainty, and which triplets the last pruning
 * kept; none of them is in the file.
 */
final class AdaLoraLinear implements SiteAdapter {
    private static final String A = "lora_A";
    private static final String B = "lora_B";
    private static final String E = "lora_E";
    private static final String SENSITIVITY = ".sensitivity";
    private static final String UNCERTAINTY = ".uncertainty";
    private static final String KEPT = "lora_E.kept";
    private static final double DEVIATION = 0.02;

    private final Linear site;
    private final AdaLoraConfig config;
    private final SequencedMap<String, Tensor> tensors = new LinkedHashMap<>();

    AdaLoraLinear(Linear site, AdaLoraConfig config, Seed seed) {
        this.site = site;
        this.config = config;
        int r = config.rank(site.name());
        try (Scope _ = Scope.open();
                Grad _ = Grad.disabled()) {
            own(A, LowRank.times(LowRank.normal(seed.of("A"), r, site.in()), DEVIATION));
            own(E, Tensors.zeros(DType.F32, r, 1));
            own(B, LowRank.times(LowRank.normal(seed.of("B"), site.out(), r), DEVIATION));
            for (String suffix : List.of(A, E, B)) {
                long[] shape = Tensors.shape(tensor(suffix));
                own(suffix + SENSITIVITY, Tensors.zeros(DType.F32, shape));
                own(suffix + UNCERTAINTY, Tensors.zeros(DType.F32, shape));
            }
            own(KEPT, Tensors.ones(DType.F32, r));
        }
    }

    private void own(String suffix, Tensor tensor) {
        tensors.put(suffix, Scope.release(tensor));
    }

    private Tensor tensor(String suffix) {
        return Objects.requireNonNull(tensors.get(suffix), suffix);
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
    public boolean trainable(String suffix) {
        return suffix.equals(A) || suffix.equals(B) || suffix.equals(E);
    }

    /** The triplets that the last pruning kept. */
    @Override
    public SequencedMap<String, Tensor> saved() {
        SequencedMap<String, Tensor> saved = new LinkedHashMap<>();
        Tensor rows = tensor(KEPT).nonzero().view(-1);
        saved.put(A, tensor(A).index_select(0, rows));
        saved.put(B, tensor(B).index_select(1, rows));
        saved.put(E, tensor(E).index_select(0, rows));
        return saved;
    }

    @Override
    public Tensor apply(Tensor input, Tensor base, Tensor result, double weight, Pass pass) {
        Tensor x = pass.dropout(input, config.dropout(), site.name());
        return LowRank.add(result, x, tensor(A).mul(tensor(E)), tensor(B), config.scaling() * weight);
    }

    @Override
    public Tensor change(Tensor matrix) {
        try (Scope scope = Scope.open();
                Grad _ = Grad.disabled()) {
            return scope.keep(
                    LowRank.times(tensor(B), config.scaling()).mm(tensor(A).mul(tensor(E))));
        }
    }

    /** {@code ||A A^T - I||_F + ||B^T B - I||_F}: scalar that gradients flow through. */
    Tensor distanceFromOrthogonal() {
        Tensor a = tensor(A);
        Tensor b = tensor(B);
        Tensor identity = torch.eye(a.size(0), Tensors.options(DType.F32));
        return a.mm(a.t()).sub(identity).norm().add(b.t().mm(b).sub(identity).norm());
    }

    /** Averages {@code I = |p * gradient|}, and how far it is from its average. */
    void noteSensitivity() {
        try (Scope _ = Scope.open();
                Grad _ = Grad.disabled()) {
            for (String suffix : List.of(A, E, B)) {
                Tensor p = tensor(suffix);
                Tensor now = p.mul(p.grad()).abs_();
                Tensor average = tensor(suffix + SENSITIVITY);
                average.copy_(LowRank.times(average, config.beta1()).add_(LowRank.times(now, 1 - config.beta1())));
                Tensor spread = tensor(suffix + UNCERTAINTY);
                Tensor distance = now.sub_(average).abs_();
                spread.copy_(LowRank.times(spread, config.beta2()).add_(LowRank.times(distance, 1 - config.beta2())));
            }
        }
    }

    /** Of each triplet: the score of its entry of E plus the mean scores of its row of A and its column of B. */
    float[] scores() {
        try (Scope _ = Scope.open();
                Grad _ = Grad.disabled()) {
            Tensor ofPair = score(A).mean(1).add(score(B).mean(0));
            return Tensors.floats(score(E).view(-1).add(ofPair));
        }
    }

    private Tensor score(String suffix) {
        return tensor(suffix + SENSITIVITY).mul(tensor(suffix + UNCERTAINTY));
    }

    /** Keeps the triplets whose score is above the threshold, until the next pruning. */
    void keepAbove(float threshold) {
        float[] scores = scores();
        float[] flags = new float[scores.length];
        for (int i = 0; i < flags.length; i++) {
            flags[i] = scores[i] <= threshold ? 0 : 1;
        }
        try (Scope _ = Scope.open();
                Grad _ = Grad.disabled()) {
            tensor(KEPT).copy_(Tensors.of(flags, flags.length));
        }
    }

    /** Sets the entries of E of all other triplets to zero. */
    void mask() {
        try (Scope _ = Scope.open();
                Grad _ = Grad.disabled()) {
            tensor(E).mul_(tensor(KEPT).unsqueeze(1));
        }
    }

    boolean[] kept() {
        float[] flags = Tensors.floats(tensor(KEPT));
        boolean[] kept = new boolean[flags.length];
        for (int i = 0; i < kept.length; i++) {
            kept[i] = flags[i] != 0;
        }
        return kept;
    }
}
