package io.lorica.adapter.eva;

import com.fasterxml.jackson.databind.node.ObjectNode;
import io.lorica.adapter.Calibration;
import io.lorica.adapter.Method;
import io.lorica.adapter.MethodConfig;
import io.lorica.adapter.MethodInfo;
import io.lorica.adapter.Options;
import io.lorica.adapter.Shared;
import io.lorica.adapter.SiteAdapter;
import io.lorica.adapter.SiteShape;
import io.lorica.adapter.lowrank.LowRankConfig;
import io.lorica.adapter.lowrank.PairAdapter;
import io.lorica.adapter.lowrank.Start;
import io.lorica.model.BaseModel;
import io.lorica.model.Linear;
import io.lorica.model.Site;
import io.lorica.tensor.Seed;
import java.util.List;
import java.util.stream.Stream;

/**
 * EVA (Paischer et al., 2024): LoRA whose A starts as the principal directions of each site's input on the training data,
 * and whose ranks move to the sites where directions explain most variance.
 *
 * <p>{@code A_i = C_i[: r_i]} with {@code C} the components of the centred inputs (see {@link IncrementalPca}), {@code B = 0},
 * so that the model starts where the base is and the frozen weights stay. The sum of all ranks stays {@code N r}; a site with
 * rank 0 loses its adapter. With B zero the first gradient is {@code dB = s Gout^T (X A^T)}, which these directions make
 * largest over all orthonormal A.
 *
 * <p>As PEFT, and unlike the official code, alpha is adjusted so that {@code alpha_i / r_i} is one number everywhere. Unlike
 * both, the pass ends after {@code max_batches} where close singular values keep on changing places.
 */
public final class EvaMethod implements Method {

    @Override
    public MethodInfo info() {
        return new MethodInfo(
                "eva",
                "LORA",
                "A starts from the main directions of the activations, ranks go where they explain most",
                "Paischer et al., One Initialization to Rule them All: Fine-tuning via Explained Variance Adaptation, 2024",
                "starts from data",
                "activations",
                true,
                true,
                Stream.concat(LowRankConfig.KEYS.stream(), EvaConfig.KEYS.stream())
                        .toList());
    }

    @Override
    public MethodConfig parse(Options options) {
        return EvaConfig.parse(options);
    }

    @Override
    public boolean claims(ObjectNode json) {
        return json.path(EvaConfig.INIT).asText().equals("eva")
                && !json.path("use_dora").asBoolean()
                && !json.path("lora_bias").asBoolean();
    }

    @Override
    public void validate(MethodConfig config, SiteShape site, String where) {
        LowRankConfig.requireLinear(site, "eva", where);
        EvaConfig eva = (EvaConfig) config;
        if (eva.fresh()) {
            eva.lowRank().validate(site, where);
            eva.requireFits(site.name(), site.in(), site.describe(), where);
        }
    }

    @Override
    public MethodConfig loading(MethodConfig config, String where) {
        return ((EvaConfig) config).finished();
    }

    @Override
    public MethodConfig saving(MethodConfig config, Shared shared) {
        EvaConfig eva = (EvaConfig) config;
        return shared instanceof Directions directions ? eva.with(directions.found()) : eva;
    }

    @Override
    public Shared share(MethodConfig config, BaseModel model, List<Site> sites, Calibration calibration, Seed seed) {
        EvaConfig eva = (EvaConfig) config;
        return eva.fresh() ? Directions.of(eva, sites, calibration) : Shared.NOTHING;
    }

    @Override
    public SiteAdapter adapt(MethodConfig config, Site site, Shared shared, Seed seed) {
        Linear linear = (Linear) site;
        LowRankConfig lowRank = ((EvaConfig) config).lowRank();
        return shared instanceof Directions directions
                ? new PairAdapter(linear, directions.found(), directions.start(linear))
                : new PairAdapter(linear, lowRank, Start.zeros(linear, lowRank.rank(site.name())));
    }
}
