package io.lorica.adapter.mtsk;

import com.fasterxml.jackson.databind.node.ObjectNode;
import io.lorica.adapter.MethodConfig;
import io.lorica.adapter.lowrank.LowRankConfig;
import io.lorica.model.Site;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.SequencedMap;

/** The configuration of one scale alone, a plain LoRA: rank h (2h where two pairs are joined), {@code lora_alpha = s r}. */
record OneScale(MtskConfig config, List<Site> sites) implements MethodConfig {

    private double rank(Site site) {
        return (config.strategy() == Strategy.MSS ? 2 : 1) * config.rank(site.in());
    }

    @Override
    public void writeTo(ObjectNode json) {
        double first = rank(sites.getFirst());
        SequencedMap<String, Double> ranks = new LinkedHashMap<>();
        SequencedMap<String, Double> alphas = new LinkedHashMap<>();
        for (Site site : sites) {
            if (rank(site) != first) {
                ranks.put(site.name(), rank(site));
                alphas.put(site.name(), rank(site) * config.scaling());
            }
        }
        new LowRankConfig((int) first, first * config.scaling(), 0, false, ranks, alphas, false).writeTo(json);
        json.put("peft_type", "LORA");
    }
}
