package io.lorica.adapter.vera;

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
import org.bytedeco.pytorch.GeneratorOptional;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;

/**
 * VeRA on a linear site: {@code y = result + b * (B (d * (A dropout(x))))}, elementwise {@code *}.
 *
 * <p>{@code d: [r]} and {@code b: [out]} are trained; {@code A: [r, in]} and {@code B: [out, r]} are views of the shared
 * projection. There is no alpha. The branch computes in the base's dtype, as {@code lora} does and PEFT does not.
 */
final class VeraLinear implements SiteAdapter {
    private final Linear site;
    private final double dropout;
    private final VeraProjection projection;
    private final SequencedMap<String, Tensor> tensors = new LinkedHashMap<>();
    private final Tensor b;
    private final Tensor d;

    VeraLinear(Linear site, VeraConfig config, VeraProjection projection, Seed seed) {
        this.site = site;
        this.dropout = config.dropout();
        this.projection = projection;
        try (Scope _ = Scope.open();
                Grad _ = Grad.disabled();
                Scalar start = new Scalar(config.init() ? config.dInitial() : 1);
                GeneratorOptional generator = seed.of("d").generator()) {
            Tensor out = Tensors.zeros(DType.F32, site.out());
            Tensor rank = Tensors.empty(DType.F32, config.r());
            b = Scope.release(config.init() ? out : out.fill_(start));
            d = Scope.release(config.init() ? rank.fill_(start) : rank.normal_(0, 1, generator));
        }
        tensors.put("vera_lambda_b", b);
        tensors.put("vera_lambda_d", d);
    }

    @Override
    public Site site() {
        return site;
    }

    @Override
    public SequencedMap<String, Tensor> tensors() {
        return tensors;
    }

    private Tensor a() {
        return projection.a().narrow(1, 0, site.in());
    }

    private Tensor up() {
        return projection.b().narrow(0, 0, site.out());
    }

    @Override
    public Tensor apply(Tensor input, Tensor base, Tensor result, double weight, Pass pass) {
        DType type = DType.of(base);
        Tensor x = Tensors.to(pass.dropout(input, dropout, site.name()), type);
        Tensor hidden = x.matmul(Tensors.to(a(), type).t()).mul(Tensors.to(d, type));
        Tensor wide = hidden.matmul(Tensors.to(up(), type).t());
        return result.add(wide.mul(Tensors.to(LowRank.times(b, weight), type)));
    }

    /** {@code (diag(b) B) (diag(d) A)}. */
    @Override
    public Tensor change(Tensor matrix) {
        try (Scope scope = Scope.open();
                Grad _ = Grad.disabled()) {
            return scope.keep(up().mul(b.unsqueeze(1)).mm(a().mul(d.unsqueeze(1))));
        }
    }
}
