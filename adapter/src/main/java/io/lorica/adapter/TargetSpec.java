package io.lorica.adapter;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.lorica.tensor.LoricaException;
import io.lorica.tensor.Names;
import java.util.ArrayList;
import java.util.Collection;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/**
 * Which sites an adapter acts on: PEFT's {@code target_modules}, {@code exclude_modules}, {@code layers_to_transform}
 * and {@code layers_pattern}, with PEFT's matching.
 *
 * <p>Exclusion is asked first, {@code modules_to_save} excludes too, and the limits on layers count only where
 * {@code target_modules} is a list: a name listed in full passes them. A layer's number is the first numbered segment
 * after {@code layers_pattern}, or after any segment but the first where no pattern is given.
 *
 * @param targets null for the usual ones of the model's architecture
 * @param layers empty for every layer
 * @param layersPatterns names of the list of layers ({@code layers}, {@code h}); empty for any
 */
public record TargetSpec(
        @Nullable NameRule targets, @Nullable NameRule exclude, List<Integer> layers, List<String> layersPatterns) {

    private static final Pattern ANY_LAYER = Pattern.compile(".*?\\.[^.]*\\.(\\d+)\\.");

    /** What PEFT targets where the configuration does not say; for CLIP, which PEFT leaves out, what CLIP-LoRA adapts. */
    private static final Map<String, List<String>> USUAL = Map.of(
            "llama", List.of("q_proj", "v_proj"),
            "mistral", List.of("q_proj", "v_proj"),
            "qwen2", List.of("q_proj", "v_proj"),
            "gpt2", List.of("c_attn"),
            "bert", List.of("query", "value"),
            "roberta", List.of("query", "value"),
            "t5", List.of("q", "v"),
            "clip", List.of("q_proj", "k_proj", "v_proj"));

    /** Names of a classifier's score head, which {@code all-linear} leaves out. */
    static final List<String> SCORE_HEADS = List.of("score", "classifier");

    static TargetSpec parse(Options options) {
        String where = options.where();
        NameRule targets = options.take("target_modules")
                .map(node -> NameRule.parse(node, "target_modules", where))
                .orElse(null);
        NameRule exclude = options.take("exclude_modules")
                .filter(node -> !node.isEmpty() || node.isTextual())
                .map(node -> NameRule.parse(node, "exclude_modules", where))
                .orElse(null);
        List<Integer> layers = options.integers("layers_to_transform");
        List<String> patterns = options.strings("layers_pattern");
        patterns.forEach(pattern -> NameRule.regex(pattern, "layers_pattern", where));
        if (!layers.isEmpty() && targets instanceof NameRule.Regex) {
            throw new LoricaException.BadInput(where
                    + ": key 'layers_to_transform' cannot limit a regular expression in 'target_modules'; "
                    + "give target_modules as a list, or name the layers in the expression");
        }
        if (layers.isEmpty() && !patterns.isEmpty()) {
            throw new LoricaException.BadInput(
                    where + ": key 'layers_pattern' has no effect without 'layers_to_transform'; give both or neither");
        }
        return new TargetSpec(targets, exclude, layers, patterns);
    }

    /** Whether nothing was said. */
    boolean isOpen() {
        return targets == null && exclude == null && layers.isEmpty();
    }

    /** These sites by their full names. */
    static TargetSpec exactly(Collection<String> sites) {
        return new TargetSpec(new NameRule.Suffixes(List.copyOf(sites)), null, List.of(), List.of());
    }

    void writeTo(ObjectNode json) {
        json.set("target_modules", targets == null ? json.nullNode() : targets.json());
        json.set("exclude_modules", exclude == null ? json.nullNode() : exclude.json());
        ArrayNode numbers = layers.isEmpty() ? null : json.putArray("layers_to_transform");
        if (numbers == null) {
            json.putNull("layers_to_transform");
        } else {
            layers.forEach(numbers::add);
        }
        ArrayNode patterns = layersPatterns.isEmpty() ? null : json.putArray("layers_pattern");
        if (patterns == null) {
            json.putNull("layers_pattern");
        } else {
            layersPatterns.forEach(patterns::add);
        }
    }

    /** The same with all linear maps in the place of none. */
    TargetSpec orAllLinear() {
        return targets == null ? new TargetSpec(new NameRule.AllLinear(), exclude, layers, layersPatterns) : this;
    }

    /** The same with the architecture's usual targets in the place of none. */
    TargetSpec resolved(String modelType, String where) {
        if (targets != null) {
            return this;
        }
        List<String> usual = USUAL.get(modelType);
        if (usual == null) {
            throw new LoricaException.BadInput(where + ": key 'target_modules' is missing, and models of type '"
                    + modelType + "' have no usual targets; name the modules, or use \"all-linear\"");
        }
        return new TargetSpec(new NameRule.Suffixes(usual), exclude, layers, layersPatterns);
    }

    /**
     * The sites to adapt, in their order.
     *
     * @param modulesToSave modules that are trained whole, which no adapter may touch
     * @throws LoricaException.BadInput when nothing is named, when all that is named is excluded, or when the limits on
     *     layers leave nothing: three different messages
     */
    public List<SiteShape> select(List<SiteShape> sites, List<String> modulesToSave, String where) {
        NameRule rule = java.util.Objects.requireNonNull(targets, "resolve first");
        List<SiteShape> named = sites.stream().filter(site -> names(rule, site)).toList();
        if (named.isEmpty()) {
            throw nothingNamed(rule, sites, where);
        }
        List<SiteShape> allowed = named.stream()
                .filter(site -> !excluded(site.name(), modulesToSave))
                .toList();
        if (allowed.isEmpty()) {
            throw new LoricaException.BadInput(where + ": target_modules " + rule.json() + " names " + named.size()
                    + " sites, but exclude_modules " + (exclude == null ? "null" : exclude.json())
                    + " and modules_to_save " + modulesToSave + " exclude all of them; exclude less");
        }
        List<SiteShape> chosen =
                allowed.stream().filter(site -> inLayers(rule, site.name())).toList();
        if (chosen.isEmpty()) {
            throw new LoricaException.BadInput(where + ": target_modules " + rule.json() + " names " + allowed.size()
                    + " sites, but none in layers_to_transform " + layers
                    + (layersPatterns.isEmpty() ? "" : " of layers_pattern " + layersPatterns)
                    + "; the first named is " + allowed.getFirst().name());
        }
        return chosen;
    }

    private static boolean names(NameRule rule, SiteShape site) {
        if (rule instanceof NameRule.AllLinear) {
            return !site.embedding() && !site.head() && !SCORE_HEADS.contains(site.name());
        }
        return rule.matches(site.name());
    }

    private boolean excluded(String name, List<String> modulesToSave) {
        if (exclude != null && !(exclude instanceof NameRule.AllLinear) && exclude.matches(name)) {
            return true;
        }
        return modulesToSave.stream()
                .anyMatch(module -> Pattern.matches("(^|.*\\.)" + Pattern.quote(module) + "($|\\..*)", name));
    }

    private boolean inLayers(NameRule rule, String name) {
        if (layers.isEmpty()
                || (rule instanceof NameRule.Suffixes list && list.entries().contains(name))) {
            return true;
        }
        List<Pattern> patterns = layersPatterns.isEmpty()
                ? List.of(ANY_LAYER)
                : layersPatterns.stream()
                        .map(pattern -> Pattern.compile("(?:^|.*?\\.)(?:" + pattern + ")\\.(\\d+)\\."))
                        .toList();
        for (Pattern pattern : patterns) {
            Matcher matcher = pattern.matcher(name);
            if (matcher.lookingAt()) {
                return layers.contains(Integer.parseInt(matcher.group(matcher.groupCount())));
            }
        }
        return false;
    }

    private static LoricaException nothingNamed(NameRule rule, List<SiteShape> sites, String where) {
        Set<String> leaves = sites.stream().map(SiteShape::leaf).collect(Collectors.toCollection(LinkedHashSet::new));
        List<String> hints = new ArrayList<>();
        if (rule instanceof NameRule.Suffixes list) {
            for (String entry : list.entries()) {
                String leaf = entry.substring(entry.lastIndexOf('.') + 1);
                Names.nearest(leaf, leaves).ifPresent(near -> hints.add("'" + near + "'"));
            }
        }
        return new LoricaException.BadInput(where + ": target_modules " + rule.json() + " matches none of the "
                + sites.size() + " sites of this model"
                + (hints.isEmpty() ? "" : "; did you mean " + String.join(", ", hints) + "?") + " (leaf names: "
                + String.join(", ", leaves) + ")");
    }
}
