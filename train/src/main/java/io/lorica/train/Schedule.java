package io.lorica.train;

import java.util.Locale;

/** Learning-rate schedules, with the formulas of transformers' {@code get_scheduler}; the factor on the peak rate. */
public enum Schedule {
    /** Rises to 1 over the warm-up, then falls to 0 at the end in a line. */
    LINEAR,
    /** Rises to 1 over the warm-up, then {@code (1 + cos(pi * progress)) / 2}. */
    COSINE,
    /** 1 throughout; warm-up is not used. */
    CONSTANT,
    /** Rises to 1 over the warm-up and stays. */
    CONSTANT_WITH_WARMUP;

    /** As configuration files write it: {@code linear}, {@code constant_with_warmup} … */
    public String key() {
        return name().toLowerCase(Locale.ROOT);
    }

    /**
     * @param step optimizer steps done before, from 0
     * @return factor in [0, 1]
     */
    public double factor(long step, long warmUp, long total) {
        if (this != CONSTANT && step < warmUp) {
            return (double) step / Math.max(1, warmUp);
        }
        double progress = (double) (step - warmUp) / Math.max(1, total - warmUp);
        return switch (this) {
            case LINEAR -> Math.max(0, 1 - progress);
            case COSINE -> Math.max(0, 0.5 * (1 + Math.cos(Math.PI * progress)));
            case CONSTANT, CONSTANT_WITH_WARMUP -> 1;
        };
    }
}
