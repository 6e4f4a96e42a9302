package io.lorica.adapter;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.SerializationFeature;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.lorica.tensor.AtomicFile;
import io.lorica.tensor.LoricaException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * What {@code adapter_config.json} says: the method with its own settings, the sites it acts on, and what else is
 * trained. Keys are spelled as PEFT spells them; a key nobody knows is refused, never ignored.
 *
 * @param modulesToSave ends of the names of modules that are trained whole and saved with the adapter
 * @param bias which of the base's biases are trained
 * @param where the file or command line the settings come from, for messages
 */
public record AdapterConfig(
        Method method,
        MethodConfig settings,
        TargetSpec targets,
        List<String> modulesToSave,
        Bias bias,
        @Nullable String taskType,
        @Nullable String baseModel,
        @Nullable String revision,
        String where) {

    /** The {@code task_type} of language models. */
    public static final String LANGUAGE = "CAUSAL_LM";

    /** The {@code task_type} of classifiers and regressions. */
    public static final String CLASSIFIER = "SEQ_CLS";

    /** Name of the file in an adapter's directory. */
    public static final String FILE = "adapter_config.json";

    private static final ObjectMapper JSON = new ObjectMapper()
            .enable(SerializationFeature.INDENT_OUTPUT, SerializationFeature.ORDER_MAP_ENTRIES_BY_KEYS);

    /** Which of the base's biases are trained and saved. */
    public enum Bias {
        NONE,
        /** Every parameter of the base whose name contains {@code bias}. */
        ALL,
        /** Those of the adapted sites: {@code lora_only} and the like, see {@link Method#ownBiases}. */
        ADAPTED;

        static Bias parse(Options options, Method method) {
            if (method.ownBiases().isEmpty()) {
                return NONE;
            }
            String own = method.ownBiases().get();
            return switch (options.choice("bias", "none", List.of("none", "all", own))) {
                case "none" -> NONE;
                case "all" -> ALL;
                default -> ADAPTED;
            };
        }
    }

    public AdapterConfig {
        modulesToSave = List.copyOf(modulesToSave);
    }

    /**
     * Settings for a method by its name ({@code lora}, {@code dora} …), common keys and its own in one object.
     *
     * @throws LoricaException.BadInput for an unknown method or key, or a value out of range
     */
    public static AdapterConfig of(String method, ObjectNode settings) {
        Method chosen = Methods.named(method);
        ObjectNode json = settings.deepCopy();
        JsonNode stated = json.get("peft_type");
        if (stated != null && !stated.asText().equals(chosen.info().peftType())) {
            throw new LoricaException.BadInput("settings of method '" + method + "': key 'peft_type' is " + stated
                    + ", but this method is '" + chosen.info().peftType() + "'; leave the key out");
        }
        return read(chosen, json, "settings of method '" + method + "'");
    }

    /** Settings as a file states them; {@code peft_type} names the method. */
    public static AdapterConfig parse(ObjectNode json, String where) {
        JsonNode type = json.get("peft_type");
        if (type == null || !type.isTextual()) {
            throw new LoricaException.BadInput(
                    where + ": key 'peft_type' is " + type + ", but must name the method, for example \"LORA\"");
        }
        return read(Methods.ofPeftType(type.textValue(), json, where), json, where);
    }

    /** Reads the file of an adapter's directory. */
    public static AdapterConfig read(Path directory) {
        Path file = directory.resolve(FILE);
        if (!Files.isRegularFile(file)) {
            throw new LoricaException.NotFound(
                    file
                            + " does not exist; an adapter's directory holds adapter_config.json and adapter_model.safetensors");
        }
        try {
            JsonNode json = JSON.readTree(file.toFile());
            if (json instanceof ObjectNode object) {
                return parse(object, file.toString());
            }
            throw new LoricaException.BadInput(file + ": holds no JSON object; is it an adapter of PEFT?");
        } catch (IOException e) {
            throw new LoricaException.BadInput(file + ": is not JSON: " + e.getMessage());
        }
    }

    private static AdapterConfig read(Method method, ObjectNode json, String where) {
        Options options = new Options(json, where);
        options.take("peft_type");
        // Changes nothing: who wrote the file, how PEFT finds a Python class, whether PEFT starts frozen.
        List.of("peft_version", "auto_mapping", "inference_mode").forEach(options::take);
        TargetSpec targets = TargetSpec.parse(options);
        String task = options.text("task_type", "");
        List<String> modules = withHeads(task, options.strings("modules_to_save"));
        Bias bias = Bias.parse(options, method);
        if ((!method.onSites() && !targets.isOpen()) || (!method.besideModules() && !modules.isEmpty())) {
            throw new LoricaException.BadInput(
                    where + ": method '" + method.info().name() + "' "
                            + (method.besideModules()
                                    ? "acts on no sites; leave out target_modules and its companions"
                                    : "chooses the weights it trains by itself; leave out target_modules, its"
                                            + " companions and modules_to_save"));
        }
        String base = options.text("base_model_name_or_path", "");
        String revision = options.text("revision", "");
        MethodConfig settings = method.parse(options);
        options.refuseUnknown();
        return new AdapterConfig(
                method, settings, targets, modules, bias, orNull(task), orNull(base), orNull(revision), where);
    }

    /** PEFT adds the score heads by itself: a fresh one is useless untrained. */
    private static List<String> withHeads(String task, List<String> modulesToSave) {
        Set<String> modules = new LinkedHashSet<>(modulesToSave);
        if (task.equals(CLASSIFIER)) {
            modules.addAll(TargetSpec.SCORE_HEADS);
        }
        return List.copyOf(modules);
    }

    private static @Nullable String orNull(String text) {
        return text.isEmpty() ? null : text;
    }

    /** The same with the name of the base it was trained on. */
    public AdapterConfig withBaseModel(String name) {
        return new AdapterConfig(method, settings, targets, modulesToSave, bias, taskType, name, revision, where);
    }

    /** The same for another {@code task_type}; that of a classifier trains and saves the score head too. */
    public AdapterConfig withTaskType(String task) {
        return new AdapterConfig(
                method, settings, targets, withHeads(task, modulesToSave), bias, task, baseModel, revision, where);
    }

    AdapterConfig withSettings(MethodConfig changed) {
        return new AdapterConfig(method, changed, targets, modulesToSave, bias, taskType, baseModel, revision, where);
    }

    AdapterConfig withTargets(TargetSpec changed) {
        return new AdapterConfig(method, settings, changed, modulesToSave, bias, taskType, baseModel, revision, where);
    }

    /**
     * The sites this configuration adapts, each checked against the method's settings. Needs no weights.
     *
     * @param modelType {@code model_type} of the base's configuration
     * @throws LoricaException.BadInput naming what does not fit
     */
    public List<SiteShape> plan(List<SiteShape> sites, String modelType) {
        if (!method.onSites()) {
            method.validate(settings, sites, where);
            return List.of();
        }
        List<SiteShape> chosen = targetsOn(modelType).select(sites, modulesToSave, where);
        method.validate(settings, chosen, where);
        return chosen;
    }

    /** The targets, or the usual ones where none are named. */
    TargetSpec targetsOn(String modelType) {
        return method.usuallyAllLinear() ? targets.orAllLinear() : targets.resolved(modelType, where);
    }

    /** As PEFT reads it, keys in alphabetical order. */
    public ObjectNode toJson() {
        ObjectNode json = JsonNodeFactory.instance.objectNode();
        json.put("peft_type", method.info().peftType());
        json.put("task_type", taskType);
        json.put("base_model_name_or_path", baseModel);
        json.put("revision", revision);
        json.put("inference_mode", true);
        json.putNull("auto_mapping");
        method.ownBiases()
                .ifPresent(own -> json.put(
                        "bias",
                        switch (bias) {
                            case NONE -> "none";
                            case ALL -> "all";
                            case ADAPTED -> own;
                        }));
        if (modulesToSave.isEmpty()) {
            json.putNull("modules_to_save");
        } else {
            ArrayNode modules = json.putArray("modules_to_save");
            modulesToSave.forEach(modules::add);
        }
        targets.writeTo(json);
        settings.writeTo(json);
        ObjectNode sorted = JsonNodeFactory.instance.objectNode();
        json.properties().stream()
                .sorted(java.util.Map.Entry.comparingByKey())
                .forEach(entry -> sorted.set(entry.getKey(), entry.getValue()));
        return sorted;
    }

    void write(Path directory) {
        try {
            AtomicFile.writeString(directory.resolve(FILE), JSON.writeValueAsString(toJson()) + "\n");
        } catch (JsonProcessingException e) {
            throw new LoricaException.Internal("cannot write " + FILE + ": " + e.getMessage(), e);
        }
    }
}
