package io.lorica.adapter.lowrank;

import io.lorica.adapter.SiteAdapter;
import io.lorica.model.Linear;
import io.lorica.model.Pass;
import io.lorica.model.Site;
import io.lorica.tensor.DType;
import io.lorica.tensor.Grad;
import io.lorica.tensor.LargeStack;
import io.lorica.tensor.Scope;
import io.lorica.tensor.Tensors;
import java.util.LinkedHashMap;
import java.util.SequencedMap;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;

/**
 * A small trained matrix between two frozen factors: {@code y = W x + b + s B R A dropout(x)}, {@code A: [r, in]},
 * {@code R: [r, r]}, {@code B: [out, r]}, float32 masters; the form of LoRA-XS and LoRA-SB.
 *
 * <p>Saved as plain LoRA, {@code A' = R A} and {@code B' = B}: the same change, readable everywhere, and smaller than the
 * three matrices of the official files.
 *
 * <p>Theory (LoRA-SB, section 3): with {@code g = dL/dW} the gradient of R is {@code s B^T g A^T}, and a step along a
 * gradient h of R moves the weight along {@link #equivalent} {@code s B h A}. Of all h, {@link #preconditioned} makes that
 * nearest to g.
 */
public final class LatentAdapter implements SiteAdapter {
    public static final String R = "lora_latent_mapping.weight";

    private final Linear site;
    private final double scaling;
    private final double dropout;
    private final Tensor a;
    private final Tensor b;
    private final Tensor r;
    private final SequencedMap<String, Tensor> tensors = new LinkedHashMap<>();

    /**
     * @param frame A and B, taken over and frozen
     * @param r {@code [r, r]} float32, taken over
     */
    public LatentAdapter(Linear site, LowRankConfig config, Start frame, Tensor r) {
        this.site = site;
        this.scaling = config.scaling(site.name());
        this.dropout = config.dropout();
        this.a = frame.a();
        this.b = frame.b();
        this.r = r;
        tensors.put(Pair.A, a);
        tensors.put(Pair.B, b);
        tensors.put(R, r);
    }

    @Override
    public Site site() {
        return site;
    }

    public Tensor r() {
        return r;
    }

    @Override
    public SequencedMap<String, Tensor> tensors() {
        return tensors;
    }

    @Override
    public boolean trainable(String suffix) {
        return suffix.equals(R);
    }

    @Override
    public SequencedMap<String, Tensor> saved() {
        SequencedMap<String, Tensor> saved = new LinkedHashMap<>();
        saved.put(Pair.A, r.mm(a));
        saved.put(Pair.B, b);
        return saved;
    }

    @Override
    public Tensor apply(Tensor input, Tensor base, Tensor result, double weight, Pass pass) {
        Tensor x = pass.dropout(input, dropout, site.name());
        Tensor hidden = x.matmul(Tensors.to(a, DType.of(x)).t());
        return LowRank.add(result, hidden, r, b, scaling * weight);
    }

    @Override
    public Tensor change(Tensor matrix) {
        try (Scope scope = Scope.open();
                Grad _ = Grad.disabled()) {
            return scope.keep(LowRank.times(b.mm(r).mm(a), scaling));
        }
    }

    /** {@code s B h A}: where the weight goes when R goes along {@code h: [r, r]}. In the caller's scope. */
    public Tensor equivalent(Tensor h) {
        return LowRank.times(b.mm(h).mm(a), scaling);
    }

    /**
     * {@code (1 / s^2) (B^T B)^-1 h (A A^T)^-1}: the gradient of R whose {@link #equivalent} is nearest to the weight's full
     * gradient, {@code h: [r, r]} being the plain one. Where the factors are orthonormal and s is 1, it is h itself. In the
     * caller's scope.
     */
    public Tensor preconditioned(Tensor h) {
        try (Tensor left = inverse(b.t().mm(b));
                Tensor right = inverse(a.mm(a.t()))) {
            return LowRank.times(left.mm(h).mm(right), 1 / (scaling * scaling));
        }
    }

    private static Tensor inverse(Tensor matrix) {
        return LargeStack.call(() -> torch.linalg_inv(matrix));
    }
}
