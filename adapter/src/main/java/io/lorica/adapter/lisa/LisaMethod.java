package io.lorica.adapter.lisa;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.DoubleNode;
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
import io.lorica.model.BaseModel;
import io.lorica.model.Site;
import io.lorica.tensor.LoricaException;
import io.lorica.tensor.Seed;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.regex.Matcher;

/**
 * LISA (Pan et al., LISA: Layerwise Importance Sampling for Memory-Efficient Large Language Model Fine-Tuning, 2024): the
 * model's own weights learn, embedding, head and last norm all the time, and of the layers only a few, drawn anew every
 * interval. Sleeping layers hold no gradient and no optimizer state; gradients flow through them.
 *
 * <p>The importance that the name speaks of is the two levels of probability, 1 and {@code gamma / N}: the official
 * trainer draws uniformly too. It keeps the moments of sleeping layers, the paper's memory needs them dropped; that is
 * {@code state_policy}, and dropping is the default. With a bfloat16 base a layer that falls asleep is rounded to it, as
 * all weights are at all times where the official trainer runs in bfloat16; {@code dtype=float32} rounds nothing.
 *
 * <p>Saved as the weights that changed, whole; {@code lorica adapter merge} writes the model.
 */
public final class LisaMethod implements Method {

    @Override
    public MethodInfo info() {
        return new MethodInfo(
                "lisa",
                "LISA",
                "the weights themselves, a few layers at a time",
                "Pan et al., LISA: Layerwise Importance Sampling for Memory-Efficient LLM Fine-Tuning, 2024",
                "training rule",
                "nothing",
                true,
                false,
                List.of(
                        new MethodInfo.Key("lisa_activated_layers", "2", "layers that learn at a time"),
                        new MethodInfo.Key("lisa_interval_steps", "20", "steps before others are drawn"),
                        new MethodInfo.Key("state_policy", "drop", "keep: sleeping layers keep their moments"),
                        new MethodInfo.Key("train_embeddings", "true", "embedding, head and last norm always learn"),
                        new MethodInfo.Key("changed_layers", "[]", "of a finished run: layers in the file"),
                        new MethodInfo.Key("learning_rate", "2e-5", "nearer to full training's than to LoRA's")));
    }

    @Override
    public Map<String, JsonNode> trainingDefaults() {
        return Map.of("learning_rate", DoubleNode.valueOf(2e-5));
    }

    @Override
    public MethodConfig parse(Options options) {
        return LisaConfig.parse(options);
    }

    @Override
    public boolean onSites() {
        return false;
    }

    @Override
    public Optional<String> ownBiases() {
        return Optional.empty();
    }

    @Override
    public void validate(MethodConfig config, List<SiteShape> sites, String where) {
        LisaConfig lisa = (LisaConfig) config;
        long layers = sites.stream()
                .map(site -> LisaWeights.LAYER.matcher(site.name() + ".weight"))
                .filter(Matcher::matches)
                .map(matcher -> matcher.group(1))
                .distinct()
                .count();
        if (lisa.activated() > layers) {
            throw new LoricaException.BadInput(where + ": key 'lisa_activated_layers' is " + lisa.activated()
                    + ", but the model has " + layers + " layers (model.layers.0 and on); choose fewer");
        }
        if (lisa.activated() == 0 && !lisa.embeddings()) {
            throw new LoricaException.BadInput(
                    where + ": lisa_activated_layers is 0 and train_embeddings false, so that"
                            + " no weight of model.layers or elsewhere would learn");
        }
    }

    @Override
    public Optional<String> needsExactWeights(MethodConfig config) {
        return Optional.of("it trains the weights themselves, and small steps would be lost in so few bits");
    }

    @Override
    public Shared share(MethodConfig config, BaseModel model, List<Site> sites, Calibration calibration, Seed seed) {
        return new LisaWeights(model, (LisaConfig) config);
    }

    @Override
    public MethodConfig saving(MethodConfig config, Shared shared) {
        return ((LisaConfig) config).withChanged(((LisaWeights) shared).changed());
    }

    @Override
    public SiteAdapter adapt(MethodConfig config, Site site, Shared shared, Seed seed) {
        throw new LoricaException.Internal("LISA acts on no site, asked for " + site.name());
    }

    @Override
    public TrainingRule trainingRule(MethodConfig config, Adapter adapter, Seed seed) {
        return new LayerSampling((LisaConfig) config, (LisaWeights) adapter.shared(), seed);
    }
}
