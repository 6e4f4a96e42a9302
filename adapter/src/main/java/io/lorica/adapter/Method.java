package io.lorica.adapter;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.lorica.model.BaseModel;
import io.lorica.model.Site;
import io.lorica.model.WeightFormat;
import io.lorica.tensor.LoricaException;
import io.lorica.tensor.Seed;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.DoubleConsumer;

/**
 * An adaptation method: how its configuration reads, what it puts on a site, and what it changes about training.
 *
 * <p>A new method is a package with a class that implements this, named in the service file
 * {@code META-INF/services/io.lorica.adapter.Method}. Only {@link #info}, {@link #parse} and {@link #adapt} must be
 * written; the rest has defaults that mean "as plain LoRA does".
 */
public interface Method {

    MethodInfo info();

    /**
     * Reads the method's own keys, spelled as PEFT spells them. Keys it does not take stay in {@code options}, and the
     * caller refuses them.
     */
    MethodConfig parse(Options options);

    /**
     * Checks a configuration against a site it would adapt, before any weight is read: rank above a dimension, block
     * sizes that do not divide, an embedding where only linear maps will do.
     *
     * @param where the source of the configuration, for messages
     * @throws LoricaException.BadInput naming the site, its shape and the key at fault
     */
    default void validate(MethodConfig config, SiteShape site, String where) {}

    /** Whether it acts on sites, which {@code target_modules} chooses; false where it replaces weights by itself, or acts elsewhere. */
    default boolean onSites() {
        return true;
    }

    /**
     * Whether it adapts all linear maps where {@code target_modules} is not given, and not the usual ones of the model's
     * architecture, which are in attention: for methods that act in feed-forward blocks.
     */
    default boolean usuallyAllLinear() {
        return false;
    }

    /** Whether {@code modules_to_save} may train modules beside it; not where it chooses by itself which weights learn. */
    default boolean besideModules() {
        return onSites();
    }

    /** The same for all sites together, where they depend on one another; the default looks at each alone. */
    default void validate(MethodConfig config, List<SiteShape> sites, String where) {
        sites.forEach(site -> validate(config, site, where));
    }

    /**
     * Why a fresh adapter must see the checkpoint's exact weights, in words that end a sentence about the method; empty
     * where it works on a quantized base too (which gives {@code Parameter.frozen()} dequantized on demand).
     */
    default Optional<String> needsExactWeights(MethodConfig config) {
        return Optional.empty();
    }

    /**
     * The configuration under which tensors from a file are put on the sites; drops expensive initial values that the
     * file replaces anyway.
     *
     * @throws LoricaException.Unsupported where such a file cannot be right on the unchanged base
     */
    default MethodConfig loading(MethodConfig config, String where) {
        return config;
    }

    /**
     * Whether a file with this method's {@code peft_type} is this method's, where several share the type (a LORA file
     * whose {@code init_lora_weights} is {@code "pissa"}). A file that nobody claims goes to the method named like the type.
     */
    default boolean claims(ObjectNode json) {
        return false;
    }

    /** How the tensors are named in the file; the default is as PEFT names them. */
    default FileKeys fileKeys(BaseModel model) {
        return FileKeys.OWN;
    }

    /** The configuration that belongs to {@link SiteAdapter#saved}. */
    default MethodConfig saving(MethodConfig config, Shared shared) {
        return config;
    }

    /**
     * Makes what is common to all sites before the first is adapted: shared bases, pools of shards, results of a
     * calibration pass. The default shares nothing.
     *
     * @param sites those that will be adapted, in their order
     * @param calibration data to start from; asks for what is not there where there is none, as when a file is loaded
     */
    default Shared share(MethodConfig config, BaseModel model, List<Site> sites, Calibration calibration, Seed seed) {
        return Shared.NOTHING;
    }

    /**
     * Puts fresh adapter tensors on one site. Tensors are owned by the returned object, outside every scope.
     *
     * @param seed this site's own stream
     */
    SiteAdapter adapt(MethodConfig config, Site site, Shared shared, Seed seed);

    /**
     * Replaces the weights of the sites that {@code lora} targets by quantized ones, until what is returned is closed, and
     * puts what these lack most into an adapter: a start for training on a quantized base.
     *
     * @param model with dense weights
     * @param lora a configuration of method {@code lora}, for linear maps and without variants
     * @param format of the frozen part: nf4, int4 or int8
     * @param iterations rounds of choosing the two parts in turn, at least 1
     * @param progress hears which fraction of the sites is done
     * @throws LoricaException.BadInput where a site cannot be held in that format, before any is touched
     * @throws LoricaException.Unsupported where the method has no such start
     */
    default QuantizedSplit splitQuantized(
            BaseModel model, AdapterConfig lora, WeightFormat format, int iterations, DoubleConsumer progress) {
        throw new LoricaException.Unsupported(
                "method '" + info().name() + "' has no start of its own on a quantized" + " base; pissa has");
    }

    /**
     * What PEFT's key {@code bias} calls training the biases of the adapted sites; empty where PEFT's configuration of
     * this method has no such key and trains no biases.
     */
    default Optional<String> ownBiases() {
        return Optional.of("lora_only");
    }

    /** Settings of training that the method means where the user gives none, by their keys. */
    default Map<String, JsonNode> trainingDefaults() {
        return Map.of();
    }

    /** What the method changes about the training loop; the default changes nothing. */
    default TrainingRule trainingRule(MethodConfig config, Adapter adapter, Seed seed) {
        return TrainingRule.PLAIN;
    }
}
