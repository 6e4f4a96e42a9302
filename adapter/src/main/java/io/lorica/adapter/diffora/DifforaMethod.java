package io.lorica.adapter.diffora;

import io.lorica.adapter.Adapter;
import io.lorica.adapter.Calibration;
import io.lorica.adapter.Method;
import io.lorica.adapter.MethodConfig;
import io.lorica.adapter.MethodInfo;
import io.lorica.adapter.Options;
import io.lorica.adapter.Shared;
import io.lorica.adapter.SiteAdapter;
import io.lorica.adapter.SiteShape;
import io.lorica.adapter.Trainable;
import io.lorica.adapter.TrainingRule;
import io.lorica.adapter.lowrank.LowRankConfig;
import io.lorica.model.BaseModel;
import io.lorica.model.Linear;
import io.lorica.model.Site;
import io.lorica.tensor.Seed;
import java.util.List;

/**
 * DiffoRA (Jiang et al., DiffoRA: Enabling Parameter-Efficient LLM Fine-Tuning via Differential Low-Rank Matrix
 * Adaptation, 2025): which sites get an adapter is learned by gradient on a relaxed matrix, made discrete, and trained on;
 * sites of a kind that were not chosen share a pair. See {@link Matrix} and {@link Search}.
 *
 * <p>There is no official code, and of the paper only the abstract was at hand: relaxation, discretization and weight
 * sharing are its, the formulas are those of DARTS (Liu et al. 2019) where it is silent. Of DARTS the first-order
 * alternation is here, not the second-order step.
 *
 * <p>Saved as plain LORA on the sites that have a pair, shared pairs copied to each.
 */
public final class DifforaMethod implements Method {

    @Override
    public MethodInfo info() {
        return new MethodInfo(
                "diffora",
                "LORA",
                "learns by gradient which sites get a pair of their own",
                "Jiang et al., DiffoRA: Differential Low-Rank Matrix Adaptation, 2025",
                "training rule",
                "gradients",
                true,
                true,
                DifforaConfig.KEYS);
    }

    @Override
    public MethodConfig parse(Options options) {
        return DifforaConfig.parse(options);
    }

    @Override
    public void validate(MethodConfig config, SiteShape site, String where) {
        LowRankConfig.requireLinear(site, "diffora", where);
        ((DifforaConfig) config).lowRank().validate(site, where);
    }

    @Override
    public Shared share(MethodConfig config, BaseModel model, List<Site> sites, Calibration calibration, Seed seed) {
        return new Matrix((DifforaConfig) config, sites, seed);
    }

    @Override
    public MethodConfig saving(MethodConfig config, Shared shared) {
        return ((DifforaConfig) config).lowRank();
    }

    @Override
    public SiteAdapter adapt(MethodConfig config, Site site, Shared shared, Seed seed) {
        return new DifforaLinear((Linear) site, (DifforaConfig) config, (Matrix) shared, seed);
    }

    @Override
    public TrainingRule trainingRule(MethodConfig config, Adapter adapter, Seed seed) {
        List<DifforaLinear> parts =
                adapter.sites().values().stream().map(DifforaLinear.class::cast).toList();
        return new Search(
                (DifforaConfig) config,
                (Matrix) adapter.shared(),
                parts,
                () -> adapter.trainables().stream().map(Trainable::tensor).toList());
    }
}
