package io.lorica.train.fewshot;

import io.lorica.tensor.LoricaException;
import java.util.List;

/**
 * Settings of the few-shot protocol. The defaults are those of CLIP-LoRA's code, which Block-LoRA is compared with.
 *
 * @param shots training pictures per class, each a run of its own; default 1, 2, 4, 8, 16
 * @param seeds number of runs for each, with seeds 0, 1, …; default 3
 * @param iterationsPerShot optimizer steps for each shot; default 500
 * @param batchSize pictures of a step; default 32
 * @param learningRate at the start; falls to {@link #LAST_RATE} by a cosine; default 2e-4
 * @param smallestCrop least share of a picture's area that augmentation keeps; default 0.08
 * @param flips how often augmentation mirrors a picture; default 0.5
 * @param template caption of a class, with {@code {}} for its name
 */
public record FewShotConfig(
        List<Integer> shots,
        int seeds,
        int iterationsPerShot,
        int batchSize,
        double learningRate,
        double smallestCrop,
        double flips,
        String template) {
    static final double LAST_RATE = 1e-6;
    static final double WEIGHT_DECAY = 1e-2;

    public FewShotConfig {
        shots = List.copyOf(shots);
        require(!shots.isEmpty() && shots.stream().allMatch(count -> count > 0), "shots " + shots, "1 or more each");
        require(seeds > 0, "seeds " + seeds, "1 or more");
        require(iterationsPerShot > 0, "iterations " + iterationsPerShot, "1 or more");
        require(batchSize > 0, "batch size " + batchSize, "1 or more");
        require(learningRate >= LAST_RATE, "learning rate " + learningRate, LAST_RATE + " or more");
        require(smallestCrop > 0 && smallestCrop <= 1, "smallest crop " + smallestCrop, "above 0 and at most 1");
        require(flips >= 0 && flips <= 1, "flips " + flips, "from 0 to 1");
    }

    private static void require(boolean right, String what, String range) {
        if (!right) {
            throw new LoricaException.BadInput("few-shot protocol: " + what + " must be " + range);
        }
    }

    /** {@code last + (first - last) (1 + cos(pi step / steps)) / 2}. */
    double rate(long step, long steps) {
        double fall = 0.5 * (1 + Math.cos(Math.PI * step / steps));
        return LAST_RATE + (learningRate - LAST_RATE) * fall;
    }
}
