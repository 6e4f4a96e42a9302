package io.lorica.serve.engine;

import java.util.List;

/**
 * Whether requests fit into the cache until the last of them ends, as S-LoRA decides it (Sheng et al., 2023, section 4;
 * {@code _can_add_new_req} of the official code): with requests sorted by tokens left, longest first, the peak is
 * {@code max_k(left_k k + used_1 + ... + used_k)}, since those with less left have ended by then and given their tokens
 * back.
 */
final class Admission {
    private Admission() {}

    /**
     * @param used tokens it holds now
     * @param left most tokens it may still add
     */
    record Load(int used, int left) {}

    /** Most tokens that these hold at the same time, if each goes on to its limit. */
    static long peak(List<Load> loads) {
        List<Load> sorted = loads.stream()
                .sorted((a, b) -> Integer.compare(b.left(), a.left()))
                .toList();
        long peak = 0;
        long used = 0;
        for (int k = 1; k <= sorted.size(); k++) {
            Load load = sorted.get(k - 1);
            used += load.used();
            peak = Math.max(peak, (long) load.left() * k + used);
        }
        return peak;
    }
}
