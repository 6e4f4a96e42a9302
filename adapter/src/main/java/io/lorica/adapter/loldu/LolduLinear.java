package io.lorica.adapter.loldu;

import io.lorica.adapter.SiteAdapter;
import io.lorica.adapter.lowrank.LowRank;
import io.lorica.adapter.lowrank.Start;
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
import org.bytedeco.pytorch.GeneratorOptional;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;

/**
 * {@code y = W x + b + s B diag(z - z0) A x} with the first r rows {@code A = U_r} and columns {@code B = P L_r} of the
 * weight's decomposition. The same as {@code W_res + s B diag(z) A} with {@code W_res = W - s B diag(z0) A}, but the base
 * stays as it is.
 */
final class LolduLinear implements SiteAdapter {
    static final String A = "ldu_upper";
    static final String B = "ldu_lower";
    static final String Z = "vector_z";
    static final String Z_START = "vector_z_start";

    private final Linear site;
    private final double scaling;
    private final SequencedMap<String, Tensor> tensors = new LinkedHashMap<>();
    private final Tensor a;
    private final Tensor b;
    private final Tensor z;
    private final Tensor start;

    LolduLinear(Linear site, LolduConfig config, Seed seed) {
        this.site = site;
        this.scaling = config.scaling();
        try (Scope _ = Scope.open();
                Grad _ = Grad.disabled()) {
            Ldu ldu = Ldu.of(Start.frozen(site));
            a = own(A, ldu.u().narrow(0, 0, config.r()));
            b = own(B, ldu.pl().narrow(1, 0, config.r()));
            z = own(Z, diagonal(config.init(), ldu.d().narrow(0, 0, config.r()), seed));
            start = own(Z_START, z);
        }
    }

    private Tensor own(String suffix, Tensor value) {
        Tensor copy = Scope.release(value.contiguous().clone());
        tensors.put(suffix, copy);
        return copy;
    }

    /** What training starts from; statistics are those of the first r pivots. */
    private static Tensor diagonal(String init, Tensor pivots, Seed seed) {
        double mean = pivots.mean().item_double();
        try (GeneratorOptional generator = seed.of("z").generator()) {
            Tensor z = Tensors.empty(DType.F32, pivots.size(0));
            return switch (init) {
                case "uniform" -> z.uniform_(-Math.abs(mean) / 2, Math.abs(mean) / 2, generator);
                case "s_uniform" -> z.uniform_(-1, 1, generator);
                case "normal" ->
                    z.normal_(mean, pivots.numel() > 1 ? pivots.std().item_double() : 0, generator);
                case "s_normal" -> z.normal_(0, 1, generator);
                case "constant" -> z.fill_(new Scalar(mean));
                case "ones" -> z.fill_(new Scalar(1.0));
                case "zeros" -> z.zero_();
                default -> pivots;
            };
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

    /** The diagonal only: the rest follows from the weight. */
    @Override
    public SequencedMap<String, Tensor> saved() {
        SequencedMap<String, Tensor> saved = new LinkedHashMap<>();
        saved.put(Z, z);
        saved.put(Z_START, start);
        return saved;
    }

    @Override
    public boolean trainable(String suffix) {
        return suffix.equals(Z);
    }

    @Override
    public Tensor apply(Tensor input, Tensor base, Tensor result, double weight, Pass pass) {
        DType type = DType.of(result);
        Tensor hidden = Tensors.to(input, type).matmul(Tensors.to(a, type).t());
        Tensor scaled = hidden.mul(Tensors.to(LowRank.times(z.sub(start), scaling * weight), type));
        return result.add(scaled.matmul(Tensors.to(b, type).t()));
    }

    @Override
    public Tensor change(Tensor matrix) {
        try (Scope scope = Scope.open();
                Grad _ = Grad.disabled()) {
            return scope.keep(
                    b.mm(torch.diag(LowRank.times(z.sub(start), scaling))).mm(a));
        }
    }
}
