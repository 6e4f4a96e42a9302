package io.lorica.adapter.lowrank;

import io.lorica.model.Linear;
import io.lorica.tensor.Seed;

/**
 * LoRA's pair with A frozen where it started: only {@code B: [out, r]} learns, and no gradient of A is computed. A stays
 * in the file, since B means nothing without it.
 */
public final class FrozenA extends PairAdapter {

    /** LoRA's start: A Kaiming-uniform from the site's own seed, B zero. */
    public FrozenA(Linear site, LowRankConfig config, Seed seed) {
        super(site, config, Start.lora(site, config.rank(site.name()), seed));
    }

    @Override
    public boolean trainable(String suffix) {
        return suffix.equals(Pair.B);
    }
}
