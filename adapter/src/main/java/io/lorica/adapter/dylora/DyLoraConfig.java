package io.lorica.adapter.dylora;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.fasterxml.jackson.databind.node.TextNode;
import io.lorica.adapter.MethodConfig;
import io.lorica.adapter.Options;
import io.lorica.adapter.lowrank.LowRankConfig;
import io.lorica.tensor.LoricaException;
import java.util.Arrays;
import java.util.SplittableRandom;
import java.util.stream.IntStream;

/**
 * Settings of DyLoRA.
 *
 * @param lowRank {@code r} is the largest rank R; one rank holds for all sites, so there are no patterns
 * @param rMin {@code r_min}: smallest trained rank; default 1
 * @param distribution {@code rank_distribution}: {@code "uniform"}, {@code "geometric"} (small ranks are drawn more
 *     often), or a list of weights, one for each rank that can be drawn; default uniform
 * @param geometric {@code geometric_p}: {@code P(b)} falls by {@code 1 - p} from one rank to the next; default 0.15
 * @param frozen train only the last component of the drawn rank; default false
 * @param granularity ranks are drawn among its multiples; it divides R; default 1
 * @param strict {@code strict_update}: components that the step does not train stay as they are, where AdamW's momentum
 *     would move them on; default false, as the official code
 */
record DyLoraConfig(
        LowRankConfig lowRank,
        int rMin,
        JsonNode distribution,
        double geometric,
        boolean frozen,
        int granularity,
        boolean strict)
        implements MethodConfig {

    static DyLoraConfig parse(Options options) {
        LowRankConfig lowRank = LowRankConfig.parse(options);
        options.take("init_lora_weights");
        options.harmlessOnlyWhenEmpty("use_dora", "learned row norms, which DyLoRA does not have");
        options.harmlessOnlyWhenEmpty("lora_bias", "a bias of B, which DyLoRA does not have");
        DyLoraConfig config = new DyLoraConfig(
                lowRank,
                options.integer("r_min", 1, 1, lowRank.r()),
                options.take("rank_distribution").orElse(TextNode.valueOf("uniform")),
                options.number("geometric_p", 0.15, 0, 0.999),
                options.flag("frozen", false),
                options.integer("granularity", 1, 1, lowRank.r()),
                options.flag("strict_update", false));
        config.check(options);
        return config;
    }

    private void check(Options options) {
        String where = options.where();
        if (!lowRank.rankPattern().isEmpty() || !lowRank.alphaPattern().isEmpty()) {
            throw new LoricaException.BadInput(where + ": rank_pattern and alpha_pattern give sites ranks of their own,"
                    + " but DyLoRA draws one rank for all; leave them out");
        }
        if (lowRank.r() % granularity != 0) {
            throw new LoricaException.BadInput(where + ": key 'granularity' is " + granularity
                    + ", which does not divide r " + lowRank.r() + "; choose a divisor");
        }
        boolean word = distribution.isTextual() && distribution.asText().matches("uniform|geometric");
        boolean weights = distribution.isArray()
                && distribution.size() == ranks().length
                && distribution.valueStream().allMatch(node -> node.isNumber() && node.doubleValue() >= 0)
                && distribution.valueStream().anyMatch(node -> node.doubleValue() > 0);
        if (!word && !weights) {
            throw options.wrong(
                    "rank_distribution",
                    distribution,
                    "\"uniform\", \"geometric\" or " + ranks().length + " weights, one for each rank of "
                            + Arrays.toString(ranks()));
        }
    }

    /** The ranks that can be drawn. */
    int[] ranks() {
        return IntStream.rangeClosed(rMin, lowRank.r())
                .filter(b -> b % granularity == 0)
                .toArray();
    }

    private double weight(int index) {
        if (distribution.isArray()) {
            return distribution.get(index).doubleValue();
        }
        return distribution.asText().equals("uniform") ? 1 : Math.pow(1 - geometric, index);
    }

    /** Draws a rank; the same seed gives the same. */
    int draw(long seed) {
        int[] ranks = ranks();
        double total =
                IntStream.range(0, ranks.length).mapToDouble(this::weight).sum();
        double left = new SplittableRandom(seed).nextDouble() * total;
        int i = 0;
        while (i < ranks.length - 1 && left >= weight(i)) {
            left -= weight(i++);
        }
        return ranks[i];
    }

    /** {@code s(b) = alpha / b}: the sum of the first b components acts as a LoRA of rank b with the same alpha. */
    double scaling(int b) {
        return atRank(b).scaling("");
    }

    /** Plain LoRA of that rank. */
    LowRankConfig atRank(int b) {
        return new LowRankConfig(
                b,
                lowRank.alpha(),
                lowRank.dropout(),
                lowRank.rslora(),
                lowRank.rankPattern(),
                lowRank.alphaPattern(),
                lowRank.fanInFanOut());
    }

    @Override
    public void writeTo(ObjectNode json) {
        lowRank.writeTo(json);
        json.put("r_min", rMin);
        json.set("rank_distribution", distribution);
        json.put("geometric_p", geometric);
        json.put("frozen", frozen);
        json.put("granularity", granularity);
        json.put("strict_update", strict);
    }
}
