package io.lorica.adapter.mola;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.lorica.adapter.MethodConfig;
import io.lorica.adapter.Options;
import io.lorica.adapter.SiteShape;
import io.lorica.adapter.lowrank.LowRankConfig;
import io.lorica.adapter.moe.Balance;
import io.lorica.tensor.LoricaException;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.stream.Collectors;
import java.util.stream.IntStream;

/**
 * Settings of MoLA; keys as the authors' code, {@code r} for its {@code lora_r}.
 *
 * @param experts {@code number_experts}: a number, a list with one for each layer, or a pattern such as
 *     {@code "2-4-6-8"} (the authors' {@code "2468"}), spread over the layers in equal groups from the first up; the default
 * @param topK {@code top_k}: experts a token visits, a number or a list; default 2
 * @param ranks {@code r}: rank of an expert, a number or a list; default 8
 * @param alpha {@code lora_alpha}: an expert's update is scaled by {@code alpha / r}; default 16
 * @param dropout {@code lora_dropout} of what an expert is sent, from 0 to below 1; default 0.05
 * @param balanced whether {@link #balance} is added to the loss (the key is the authors', with an o); default false
 * @param coefficient {@code router_aux_loss_coef} of that, from 0; default 0.001
 */
record MolaConfig(
        PerLayer experts,
        PerLayer topK,
        PerLayer ranks,
        double alpha,
        double dropout,
        boolean balanced,
        double coefficient)
        implements MethodConfig {
    static final String EXPERTS = "number_experts";
    static final String BALANCE = "obalance";
    private static final int MAX = 1 << 10;

    static MolaConfig parse(Options options) {
        return new MolaConfig(
                PerLayer.parse(options, EXPERTS, List.of(2, 4, 6, 8), MAX),
                PerLayer.parse(options, "top_k", List.of(2), MAX),
                PerLayer.parse(options, "r", List.of(8), 1 << 16),
                options.number("lora_alpha", 16, 0, 1e6),
                options.number("lora_dropout", 0.05, 0, 0.999),
                options.flag(BALANCE, false),
                options.number("router_aux_loss_coef", 0.001, 0, 1e6));
    }

    /** Layers of a model, by its highest number: {@code model.layers.11.mlp.down_proj} is one of 12 or more. */
    static int layers(List<String> sites) {
        return sites.stream().mapToInt(MolaConfig::layer).max().orElse(-1) + 1;
    }

    /** The first number in a site's name; -1 where there is none. */
    static int layer(String site) {
        for (String part : site.split("\\.")) {
            if (!part.isEmpty() && part.chars().allMatch(Character::isDigit)) {
                return Integer.parseInt(part);
            }
        }
        return -1;
    }

    void validate(List<SiteShape> sites, String where) {
        int layers = layers(sites.stream().map(SiteShape::name).toList());
        experts.requireFit(EXPERTS, layers, where);
        topK.requireFit("top_k", layers, where);
        ranks.requireFit("r", layers, where);
        for (SiteShape site : sites) {
            int layer = layer(site.name());
            if (layer < 0) {
                throw new LoricaException.BadInput(where + ": " + site.describe()
                        + " belongs to no layer, and MoLA gives each layer its experts; leave it out of"
                        + " target_modules");
            }
            if (topK.at(layer, layers) > experts.at(layer, layers)) {
                throw new LoricaException.BadInput(where + ": top_k is " + topK.at(layer, layers) + " in layer " + layer
                        + ", which has " + experts.at(layer, layers) + " experts; choose at most as many");
            }
            rank(layer, layers).validate(site, where);
        }
    }

    /** What one expert of a layer is. */
    LowRankConfig rank(int layer, int layers) {
        return LowRankConfig.plain(ranks.at(layer, layers), alpha, dropout);
    }

    /** {@code coefficient * sum_layers E sum_e c_e P_e}, {@code c} by choice; the authors count padding too, here is none. */
    Balance balance() {
        return balanced ? new Balance(coefficient, Balance.Counts.PER_CHOICE, Balance.Groups.LAYER) : Balance.NONE;
    }

    /** The same with all lists written out for so many layers, as a file has it. */
    MolaConfig spread(int layers) {
        return new MolaConfig(
                experts.spread(layers),
                topK.spread(layers),
                ranks.spread(layers),
                alpha,
                dropout,
                balanced,
                coefficient);
    }

    @Override
    public void writeTo(ObjectNode json) {
        experts.writeTo(json, EXPERTS);
        topK.writeTo(json, "top_k");
        ranks.writeTo(json, "r");
        json.put("lora_alpha", alpha);
        json.put("lora_dropout", dropout);
        json.put(BALANCE, balanced);
        json.put("router_aux_loss_coef", coefficient);
    }

    /**
     * One number for each layer.
     *
     * @param pattern whether these are for groups of layers: layer {@code l} of L belongs to the last group i of n with
     *     {@code floor(L i / n) <= l}; a single number is a pattern of one group
     */
    record PerLayer(List<Integer> values, boolean pattern) {

        static PerLayer parse(Options options, String key, List<Integer> otherwise, int max) {
            JsonNode node = options.take(key).orElse(null);
            if (node == null) {
                return new PerLayer(otherwise, true);
            }
            List<Integer> values = node.isTextual() ? pattern(node.asText()) : options.integers(key);
            if (values.isEmpty() || values.stream().anyMatch(value -> value < 1 || value > max)) {
                throw options.wrong(
                        key,
                        node,
                        "a number from 1 to " + max + ", a list with one for each layer, or a pattern such as 2-4-6-8");
            }
            return new PerLayer(values, !node.isArray());
        }

        /** {@code 2-4-6-8}, or as the authors write it {@code 2468}. */
        private static List<Integer> pattern(String text) {
            if (text.matches("[1-9]{1,64}")) {
                return text.chars().mapToObj(digit -> digit - '0').toList();
            }
            return text.matches("\\d{1,4}(-\\d{1,4}){1,63}")
                    ? Arrays.stream(text.split("-")).map(Integer::valueOf).toList()
                    : List.of();
        }

        void requireFit(String key, int layers, String where) {
            if (!pattern && values.size() != layers) {
                throw new LoricaException.BadInput(where + ": key '" + key + "' has " + values.size() + " numbers ("
                        + values + "), but the highest adapted layer is " + (layers - 1) + ", so there are " + layers
                        + " layers; give one number for each, or a pattern such as 2-4-6-8 for groups of them");
            }
        }

        int at(int layer, int layers) {
            if (!pattern) {
                return values.get(layer);
            }
            int group = 0;
            while (group + 1 < values.size() && (long) layers * (group + 1) / values.size() <= layer) {
                group++;
            }
            return values.get(group);
        }

        PerLayer spread(int layers) {
            return new PerLayer(
                    IntStream.range(0, layers).map(l -> at(l, layers)).boxed().toList(), false);
        }

        void writeTo(ObjectNode json, String key) {
            if (pattern && values.size() == 1) {
                json.put(key, values.getFirst());
            } else if (pattern) {
                json.put(key, values.stream().map(String::valueOf).collect(Collectors.joining("-")));
            } else {
                Collections.unmodifiableList(values).forEach(json.putArray(key)::add);
            }
        }
    }
}
