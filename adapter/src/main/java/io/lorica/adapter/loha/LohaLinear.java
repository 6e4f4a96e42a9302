package io.lorica.adapter.loha;

import io.lorica.adapter.SiteAdapter;
import io.lorica.adapter.Trainable;
import io.lorica.adapter.lowrank.LowRank;
import io.lorica.adapter.lowrank.LycorisConfig;
import io.lorica.adapter.lowrank.WeightChange;
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
import java.util.SequencedMap;
import org.bytedeco.pytorch.Tensor;

/**
 * LoHa on a linear site: {@code D = s (A1 B1) * (A2 B2)}, {@code A1, A2: [out, r]}, {@code B1, B2: [r, in]} float32,
 * {@code s = alpha / r}.
 *
 * <p>PEFT forms {@code D}. Here the product is taken apart where that is less work:
 * {@code D_oi = sum_pq (A1_op A2_oq) (B1_pi B2_qi)} is a product of {@code [out, r^2]} and {@code [r^2, in]}, so LoHa of
 * rank r computes as LoRA of rank {@code r^2}.
 */
final class LohaLinear implements SiteAdapter {
    private final Linear site;
    private final LycorisConfig config;
    private final double scaling;
    private final SequencedMap<String, Tensor> tensors = new LinkedHashMap<>();

    LohaLinear(Linear site, LohaConfig config, Seed seed) {
        this.site = site;
        this.config = config.common();
        scaling = this.config.ranks().scaling(site.name());
        long r = this.config.ranks().rank(site.name());
        try (Scope _ = Scope.open();
                Grad _ = Grad.disabled()) {
            put("hada_w1_a", LowRank.kaiming(seed.of("w1_a"), site.out(), r));
            put("hada_w1_b", LowRank.kaiming(seed.of("w1_b"), r, site.in()));
            put("hada_w2_a", LowRank.kaiming(seed.of("w2_a"), site.out(), r));
            put(
                    "hada_w2_b",
                    config.init()
                            ? Tensors.zeros(DType.F32, r, site.in())
                            : LowRank.kaiming(seed.of("w2_b"), r, site.in()));
        }
    }

    private void put(String key, Tensor tensor) {
        tensors.put(key, Scope.release(tensor));
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
    public Trainable.Role role(String suffix) {
        return suffix.endsWith("_a") ? Trainable.Role.B : Trainable.Role.A;
    }

    @Override
    public Tensor apply(Tensor input, Tensor base, Tensor result, double weight, Pass pass) {
        if (config.dropped(pass, site.name())) {
            return result;
        }
        List<Tensor> factors = List.copyOf(tensors.values());
        if (!cheaperApart()) {
            return WeightChange.add(result, input, weight, factors, trained -> dropRows(product(trained), pass));
        }
        long wide = factors.get(1).size(0) * factors.get(1).size(0);
        Tensor up = factors.get(0).unsqueeze(2).mul(factors.get(2).unsqueeze(1)).reshape(site.out(), wide);
        Tensor down =
                factors.get(1).unsqueeze(1).mul(factors.get(3).unsqueeze(0)).reshape(wide, site.in());
        return LowRank.add(result, input, down, dropRows(up, pass), scaling * weight);
    }

    /** PEFT grows the kept rows here, as LyCORIS does not. */
    private Tensor dropRows(Tensor rows, Pass pass) {
        return config.dropRows(rows, 0, true, pass, site.name());
    }

    private boolean cheaperApart() {
        long r = config.ranks().rank(site.name());
        return r * r * (site.in() + site.out()) < site.in() * site.out();
    }

    private Tensor product(List<Tensor> factors) {
        Tensor left = LowRank.times(factors.get(0), scaling).mm(factors.get(1));
        return left.mul(factors.get(2).mm(factors.get(3)));
    }

    @Override
    public Tensor change(Tensor matrix) {
        try (Scope scope = Scope.open();
                Grad _ = Grad.disabled()) {
            return scope.keep(product(List.copyOf(tensors.values())));
        }
    }
}
