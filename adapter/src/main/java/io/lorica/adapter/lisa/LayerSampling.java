package io.lorica.adapter.lisa;

import io.lorica.adapter.TrainingRule;
import io.lorica.tensor.Seed;
import java.util.ArrayList;
import java.util.List;
import java.util.SortedSet;
import java.util.SplittableRandom;
import java.util.TreeSet;

/**
 * Every {@code lisa_interval_steps} optimizer steps puts all layers to sleep and wakes others, drawn uniformly without
 * replacement from the seed and the number of the interval. A layer drawn twice in a row goes on with its moments.
 */
final class LayerSampling implements TrainingRule {
    private final LisaConfig config;
    private final LisaWeights weights;
    private final Seed seed;

    LayerSampling(LisaConfig config, LisaWeights weights, Seed seed) {
        this.config = config;
        this.weights = weights;
        this.seed = seed;
    }

    @Override
    public void beforeStep(long step, long totalSteps) {
        if (step % config.interval() == 0) {
            weights.wake(draw(weights.layers(), config.activated(), seed.of(step / config.interval())));
        }
    }

    @Override
    public void resumeAt(long step) {
        SortedSet<Integer> changed = new TreeSet<>();
        List<Integer> learning = List.of();
        for (long interval = 0; interval * config.interval() < step; interval++) {
            learning = draw(weights.layers(), config.activated(), seed.of(interval));
            changed.addAll(learning);
        }
        weights.prepare(changed, learning);
    }

    /** Some of the layers, each as likely as the others. */
    static List<Integer> draw(List<Integer> layers, int count, Seed seed) {
        SplittableRandom random = new SplittableRandom(seed.value());
        List<Integer> left = new ArrayList<>(layers);
        List<Integer> drawn = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            drawn.add(left.remove(/* index */ random.nextInt(left.size())));
        }
        return drawn;
    }
}
