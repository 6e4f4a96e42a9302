package io.lorica.adapter.adalora;

import io.lorica.adapter.Shared;
import java.util.LinkedHashMap;
import java.util.SequencedMap;
import org.bytedeco.pytorch.Tensor;

/** All sites of one adapter, among which the budget of ranks is shared. */
final class AdaLoraRanks implements Shared {
    private final SequencedMap<String, AdaLoraLinear> parts = new LinkedHashMap<>();
    private long totalSteps;

    AdaLoraRanks(long totalSteps) {
        this.totalSteps = totalSteps;
    }

    void add(AdaLoraLinear part) {
        parts.put(part.site().name(), part);
    }

    SequencedMap<String, AdaLoraLinear> parts() {
        return parts;
    }

    /** Steps of the schedule; 0 before it is known. */
    long totalSteps() {
        return totalSteps;
    }

    void totalSteps(long steps) {
        totalSteps = steps;
    }

    /** Which triplets are kept, by site; empty where nothing was pruned yet. */
    SequencedMap<String, boolean[]> pattern() {
        SequencedMap<String, boolean[]> pattern = new LinkedHashMap<>();
        boolean pruned = false;
        for (AdaLoraLinear part : parts.values()) {
            boolean[] kept = part.kept();
            pattern.put(part.site().name(), kept);
            for (boolean flag : kept) {
                pruned |= !flag;
            }
        }
        return pruned ? pattern : new LinkedHashMap<>();
    }

    @Override
    public SequencedMap<String, Tensor> tensors() {
        return new LinkedHashMap<>();
    }
}
