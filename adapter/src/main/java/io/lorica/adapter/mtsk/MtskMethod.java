package io.lorica.adapter.mtsk;

import io.lorica.adapter.Adapter;
import io.lorica.adapter.Calibration;
import io.lorica.adapter.Method;
import io.lorica.adapter.MethodConfig;
import io.lorica.adapter.MethodInfo;
import io.lorica.adapter.Options;
import io.lorica.adapter.Shared;
import io.lorica.adapter.SiteAdapter;
import io.lorica.adapter.SiteShape;
import io.lorica.adapter.TrainingRule;
import io.lorica.adapter.lowrank.LowRankConfig;
import io.lorica.model.BaseModel;
import io.lorica.model.Linear;
import io.lorica.model.Rates;
import io.lorica.model.Site;
import io.lorica.tensor.Seed;
import java.util.List;

/**
 * Llama-MTSK (Cappellazzo et al., Adaptive Audio-Visual Speech Recognition via Matryoshka-Based Multimodal LLMs, 2025):
 * one adapter for a language model that hears and sees at several rates of compression. Its low-rank updates are shared by
 * all rates, belong to one, or are the sum of both; see {@link io.lorica.adapter.Scales}.
 *
 * <p>The published objective is the mean loss over all scales, each with a backward pass of its own: a pass that reads
 * recordings is at their rates ({@link io.lorica.model.Pass#rates}). Of rows of text the training loop trains one scale a
 * step, drawn from the seed and the step, as the authors' follow-up Omni-AVSR does.
 *
 * <p>The official code has only the shared strategy; the others follow the paper, with a pair for each audio-video pair of
 * rates.
 *
 * <p>Saved whole under the official names of factors; once a scale is chosen, as plain LORA of that scale for PEFT.
 */
public final class MtskMethod implements Method {

    @Override
    public MethodInfo info() {
        return new MethodInfo(
                "mtsk",
                "MTSK",
                "one adapter for several rates of audio and video compression",
                "Cappellazzo et al., Adaptive AVSR via Matryoshka-Based Multimodal LLMs (Llama-MTSK), 2025",
                "low-rank",
                "nothing",
                true,
                false,
                MtskConfig.KEYS);
    }

    @Override
    public MethodConfig parse(Options options) {
        return MtskConfig.parse(options);
    }

    @Override
    public void validate(MethodConfig config, SiteShape site, String where) {
        LowRankConfig.requireLinear(site, "mtsk", where);
        ((MtskConfig) config).validate(site, where);
    }

    @Override
    public Shared share(MethodConfig config, BaseModel model, List<Site> sites, Calibration calibration, Seed seed) {
        return new ActiveScale((MtskConfig) config, sites);
    }

    @Override
    public MethodConfig saving(MethodConfig config, Shared shared) {
        ActiveScale active = (ActiveScale) shared;
        return active.chosen() ? new OneScale((MtskConfig) config, active.sites()) : config;
    }

    @Override
    public SiteAdapter adapt(MethodConfig config, Site site, Shared shared, Seed seed) {
        return new MtskLinear((Linear) site, (MtskConfig) config, (ActiveScale) shared, seed);
    }

    @Override
    public TrainingRule trainingRule(MethodConfig config, Adapter adapter, Seed seed) {
        ActiveScale active = (ActiveScale) adapter.shared();
        return new TrainingRule() {
            @Override
            public void beforeStep(long step, long totalSteps) {
                List<Rates> scales = active.scales();
                int drawn = (int) Long.remainderUnsigned(seed.of(step).value(), scales.size());
                active.train(scales.get(drawn));
            }
        };
    }
}
