package io.lorica.adapter.pissa;

import com.fasterxml.jackson.databind.node.ObjectNode;
import io.lorica.adapter.AdapterConfig;
import io.lorica.adapter.Method;
import io.lorica.adapter.MethodConfig;
import io.lorica.adapter.MethodInfo;
import io.lorica.adapter.Options;
import io.lorica.adapter.QuantizedSplit;
import io.lorica.adapter.Shared;
import io.lorica.adapter.SiteAdapter;
import io.lorica.adapter.SiteShape;
import io.lorica.adapter.lowrank.LowRankConfig;
import io.lorica.adapter.lowrank.PairAdapter;
import io.lorica.adapter.lowrank.Start;
import io.lorica.adapter.lowrank.Svd;
import io.lorica.model.BaseModel;
import io.lorica.model.Linear;
import io.lorica.model.Site;
import io.lorica.model.WeightFormat;
import io.lorica.tensor.Grad;
import io.lorica.tensor.LoricaException;
import io.lorica.tensor.Scope;
import io.lorica.tensor.Seed;
import java.util.Optional;
import java.util.function.DoubleConsumer;
import java.util.stream.Stream;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;

/**
 * PiSSA (Meng et al., 2024): LoRA that starts from the {@code r} largest singular triplets of each weight.
 *
 * <p>With {@code W = U diag(S) V^T} and {@code s = alpha / r} (or {@code alpha / sqrt(r)}): {@code A0 = diag(sqrt(S_r / s))
 * V_r^T}, {@code B0 = U_r diag(sqrt(S_r / s))}, and the frozen weight counts as {@code W - s B0 A0}. Both factors get large
 * gradients from the first step on.
 *
 * <p>Where the official code overwrites W by the residual, here the start is taken off inside the adapter (see
 * {@link io.lorica.adapter.lowrank.Pair}), so that adapters can be stacked and nothing is rounded into the base. Saved as
 * plain LoRA of twice the rank on the unchanged base: what PEFT calls the converted form. PEFT's unconverted files are read
 * by making the start again, as PEFT does; those of a randomized start cannot be, since its random numbers are not in the
 * file.
 *
 * <p>Prefer it where LoRA runs and should converge faster; it wants a smaller learning rate (2e-5).
 */
public final class PissaMethod implements Method {

    @Override
    public MethodInfo info() {
        return new MethodInfo(
                "pissa",
                "LORA",
                "starts from the largest singular triplets of each weight",
                "Meng et al., PiSSA: Principal Singular Values and Singular Vectors Adaptation of Large Language Models,"
                        + " 2024",
                "starts from weights",
                "weights",
                true,
                true,
                Stream.concat(
                                LowRankConfig.KEYS.stream()
                                        .filter(key -> !key.name().equals("lora_dropout")),
                                Stream.of(new MethodInfo.Key(
                                        PissaConfig.INIT,
                                        "\"pissa\"",
                                        "pissa for the exact decomposition, pissa_niter_N for N fast iterations")))
                        .toList());
    }

    @Override
    public MethodConfig parse(Options options) {
        return PissaConfig.parse(options);
    }

    @Override
    public boolean claims(ObjectNode json) {
        return json.path(PissaConfig.INIT).asText().startsWith("pissa");
    }

    @Override
    public Optional<String> needsExactWeights(MethodConfig config) {
        return Optional.of(
                "the singular triplets of a rounded weight are not those of the weight, and what is left"
                        + " of it would be rounded again ('lorica adapter qpissa' reckons with that and prepares quantized weights)");
    }

    @Override
    public void validate(MethodConfig config, SiteShape site, String where) {
        LowRankConfig.requireLinear(site, "pissa", where);
        ((PissaConfig) config).lowRank().validate(site, where);
    }

    @Override
    public MethodConfig loading(MethodConfig config, String where) {
        if (((PissaConfig) config).iterations() != PissaConfig.EXACT) {
            throw new LoricaException.Unsupported(where + ": key '" + PissaConfig.INIT + "' says that the factors count"
                    + " from a randomized start that is not in the file, so it cannot be made again; convert the adapter"
                    + " in PEFT (save_pretrained with path_initial_model_for_weight_conversion)");
        }
        return config;
    }

    /** Plain LoRA of twice the rank, right on the unchanged base. */
    @Override
    public MethodConfig saving(MethodConfig config, Shared shared) {
        return ((PissaConfig) config).lowRank().widened();
    }

    @Override
    public SiteAdapter adapt(MethodConfig config, Site site, Shared shared, Seed seed) {
        PissaConfig pissa = (PissaConfig) config;
        Linear linear = (Linear) site;
        return new PairAdapter(linear, pissa.lowRank(), start(linear, pissa, seed));
    }

    @Override
    public QuantizedSplit splitQuantized(
            BaseModel model, AdapterConfig lora, WeightFormat format, int iterations, DoubleConsumer progress) {
        return QPissa.split(model, lora, format, iterations, progress);
    }

    private static Start start(Linear site, PissaConfig config, Seed seed) {
        int r = config.lowRank().rank(site.name());
        try (Scope _ = Scope.open();
                Grad _ = Grad.disabled();
                Scalar scaling = new Scalar(config.lowRank().scaling(site.name()))) {
            Tensor w = Start.frozen(site);
            Svd svd = config.iterations() == PissaConfig.EXACT
                    ? Svd.exact(w, r)
                    : Svd.randomized(w, r, config.iterations(), seed);
            Tensor root = svd.s().div(scaling).sqrt();
            return Start.of(root.unsqueeze(1).mul(svd.vt()), svd.u().mul(root), true);
        }
    }
}
