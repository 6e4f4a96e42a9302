package io.lorica.adapter.lora;

import io.lorica.adapter.Factors;
import io.lorica.adapter.SiteAdapter;
import io.lorica.adapter.lowrank.LowRank;
import io.lorica.adapter.lowrank.LowRankConfig;
import io.lorica.adapter.lowrank.Magnitude;
import io.lorica.adapter.lowrank.Pair;
import io.lorica.model.Linear;
import io.lorica.model.Pass;
import io.lorica.model.Site;
import io.lorica.tensor.DType;
import io.lorica.tensor.Grad;
import io.lorica.tensor.Scope;
import io.lorica.tensor.Seed;
import io.lorica.tensor.Tensors;
import java.util.LinkedHashMap;
import java.util.Optional;
import java.util.SequencedMap;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/** LoRA on a linear site: {@code y = W x + b + s B A dropout(x)}, with DoRA's magnitude and a bias of B where asked for. */
final class LoraLinear implements SiteAdapter {
    private static final String B_BIAS = "lora_B.bias";

    private final Linear site;
    private final double dropout;
    private final Pair pair;
    private final SequencedMap<String, Tensor> tensors;
    private final @Nullable Tensor bias;
    private final @Nullable Magnitude magnitude;

    private LoraLinear(Linear site, LoraConfig config, Pair pair) {
        this.site = site;
        this.dropout = config.lowRank().dropout();
        this.pair = pair;
        tensors = new LinkedHashMap<>(pair.tensors());
        try (Scope _ = Scope.open();
                Grad _ = Grad.disabled()) {
            bias = config.bias() ? Scope.release(Tensors.zeros(DType.F32, site.out())) : null;
            magnitude = config.dora() ? Magnitude.of(site, pair) : null;
        }
        if (bias != null) {
            tensors.put(B_BIAS, bias);
        }
        if (magnitude != null) {
            tensors.put(Magnitude.KEY, magnitude.vector());
        }
    }

    static LoraLinear fresh(Linear site, LoraConfig config, Seed seed) {
        LowRankConfig lowRank = config.lowRank();
        Pair pair = new Pair(
                LoraInit.of(config.init(), site, lowRank.rank(site.name()), seed), lowRank.scaling(site.name()));
        return new LoraLinear(site, config, pair);
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
        return !Pair.isStart(suffix);
    }

    @Override
    public SequencedMap<String, Tensor> saved() {
        SequencedMap<String, Tensor> saved = new LinkedHashMap<>(tensors);
        saved.keySet().removeIf(Pair::isStart);
        saved.putAll(pair.saved());
        return saved;
    }

    @Override
    public Tensor apply(Tensor input, Tensor base, Tensor result, double weight, Pass pass) {
        Tensor x = pass.dropout(input, dropout, site.name());
        if (magnitude != null) {
            boolean dropped = pass.training() && dropout > 0;
            return magnitude.apply(x, base, result, weight, dropped);
        }
        Tensor sum = pair.add(result, x, weight);
        return bias == null ? sum : sum.add(Tensors.to(LowRank.times(bias, pair.scaling() * weight), DType.of(result)));
    }

    @Override
    public Optional<Factors> plainProduct() {
        return magnitude == null && bias == null ? Optional.of(pair.factors()) : Optional.empty();
    }

    @Override
    public Tensor change(Tensor matrix) {
        try (Scope scope = Scope.open();
                Grad _ = Grad.disabled()) {
            return scope.keep(magnitude == null ? pair.product() : magnitude.change(matrix));
        }
    }

    @Override
    public Optional<Tensor> biasChange() {
        return bias == null ? Optional.empty() : Optional.of(LowRank.times(bias.detach(), pair.scaling()));
    }
}
