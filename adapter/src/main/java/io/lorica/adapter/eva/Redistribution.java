package io.lorica.adapter.eva;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SequencedMap;

/** The budget of ranks, given to the components of all sites that explain most of their site's variance. */
final class Redistribution {
    private record Share(String site, float explained) {}

    private Redistribution() {}

    /**
     * Ranks by site.
     *
     * @param explained shares by site, each descending; sites with equal inputs repeat theirs
     * @param same for a site that shares another's input, that other site
     * @param budget the sum of all ranks
     */
    static SequencedMap<String, Integer> of(
            SequencedMap<String, float[]> explained, Map<String, String> same, int budget) {
        List<Share> shares = new ArrayList<>();
        explained.forEach((site, values) -> {
            for (float value : values) {
                shares.add(new Share(site, value));
            }
        });
        shares.sort(Comparator.comparingDouble(Share::explained).reversed());
        SequencedMap<String, Integer> ranks = new LinkedHashMap<>();
        explained.keySet().forEach(site -> ranks.put(site, 0));
        shares.stream().limit(budget).forEach(share -> ranks.merge(share.site(), 1, Integer::sum));
        // Of sites with one input the one that is watched has the most, so that its components have all converged.
        same.forEach((site, watched) -> {
            int own = ranks.getOrDefault(site, 0);
            int other = ranks.getOrDefault(watched, 0);
            if (own > other) {
                ranks.put(site, other);
                ranks.put(watched, own);
            }
        });
        return ranks;
    }
}
