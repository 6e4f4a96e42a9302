package io.lorica.serve.engine;

import java.util.List;

/**
 * Whether requests fit into the cache until the last of them ends, as S-LoRA decides it (Sheng et al., 2023, section 4;
 * {@code _can_add_new_req} of the official code): with requests sorted by tokens left, longest first, the peak is
 * {@code max_k(sum_{j<=k} pages(used_j + left_k))}, since those with less left have ended by then and given their pages
 * back. With pages of one token that is the paper's {@code max_k(left_k k + used_1 + ... + used_k)}.
 */
final class Admission {
    private Admission() {}

    /**
     * @param used tokens it holds now
     * @param left most tokens it may still add
     */
    record Load(int used, int left) {}

    /** Most pages that these hold at the same time, if each goes on to its limit. */
    static long peak(List<Load> loads, int pageTokens) {
        List<Load> sorted = loads.stream()
                .sorted((a, b) -> Integer.compare(b.left(), a.left()))
                .toList();
        long peak = 0;
        for (int k = 1; k <= sorted.size(); k++) {
            int left = sorted.get(k - 1).left();
            long pages = 0;
            for (Load load : sorted.subList(0, k)) {
                pages += Math.ceilDiv(load.used() + left, pageTokens);
            }
            peak = Math.max(peak, pages);
        }
        return peak;
    }
}
