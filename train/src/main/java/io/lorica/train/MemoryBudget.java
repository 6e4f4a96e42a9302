package io.lorica.train;

import io.lorica.tensor.LoricaException;
import io.lorica.tensor.Memory;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.function.Function;

/**
 * Holds a run to a number of resident bytes: the largest micro-batch that fits, smaller ones made up for by accumulation,
 * and gradient checkpointing where no size fits without it. The examples of a step stay the same, and so does its loss.
 *
 * <p>Sizes are rehearsed upwards, and one is only tried where a straight line through the two before it stays within
 * the budget, so that the search itself keeps to it.
 */
final class MemoryBudget {
    /** What a plan may be short by: up to 6 % was measured between a plan and its run. */
    private static final double MARGIN = 0.05;

    private final long bytes;
    private final Function<TrainConfig, MemoryPlan> rehearsal;

    /** @param rehearsal what a run with these settings takes */
    MemoryBudget(long bytes, Function<TrainConfig, MemoryPlan> rehearsal) {
        this.bytes = bytes;
        this.rehearsal = rehearsal;
    }

    /**
     * What a run may look like.
     *
     * @param config the settings asked for but for batch, accumulation and checkpointing
     */
    record Fit(TrainConfig config, MemoryPlan plan) {}

    /** @throws LoricaException.BadInput with the smallest plan, where even that is above the budget */
    Fit fit(TrainConfig wanted) {
        List<Fit> tried = new ArrayList<>();
        return climb(wanted, tried)
                .or(() -> climb(wanted.splitInto(wanted.batchSize(), true), tried))
                .orElseThrow(() -> refusal(tried.getLast().plan()));
    }

    private Optional<Fit> climb(TrainConfig wanted, List<Fit> tried) {
        Optional<Fit> best = Optional.empty();
        List<MemoryPlan> plans = new ArrayList<>();
        for (int size : sizes(wanted.batchSize())) {
            if (!fits(expected(plans, size))) {
                break;
            }
            TrainConfig config = wanted.splitInto(size, wanted.gradientCheckpointing());
            Fit fit = new Fit(config, rehearsal.apply(config));
            tried.add(fit);
            if (!fits(fit.plan().peak())) {
                break;
            }
            plans.add(fit.plan());
            best = Optional.of(fit);
        }
        return best;
    }

    private boolean fits(long peak) {
        return peak * (1 + MARGIN) <= bytes;
    }

    /** The straight line through the last two sizes; with only one, what that one takes. */
    private static long expected(List<MemoryPlan> plans, int size) {
        if (plans.size() < 2) {
            return plans.isEmpty() ? 0 : plans.getLast().peak();
        }
        MemoryPlan last = plans.getLast();
        MemoryPlan before = plans.get(plans.size() - 2);
        double slope = (last.peak() - before.peak()) / (double) (last.batchSize() - before.batchSize());
        return Math.round(last.peak() + slope * (size - last.batchSize()));
    }

    /** Sizes that divide {@code batch}, each at most half of the next, from the smallest. */
    static List<Integer> sizes(int batch) {
        List<Integer> sizes = new ArrayList<>(List.of(batch));
        while (sizes.getFirst() > 1) {
            int size = sizes.getFirst() / 2;
            while (batch % size != 0) {
                size--;
            }
            sizes.addFirst(size);
        }
        return sizes;
    }

    private LoricaException refusal(MemoryPlan smallest) {
        return new LoricaException.BadInput("the budget of " + Memory.format(bytes) + " is too small: "
                + smallest.summary()
                + ". Allow that much, shorten max_length, train fewer sites, or take a smaller base.\n"
                + smallest.table());
    }
}
