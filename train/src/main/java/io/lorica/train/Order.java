package io.lorica.train;

import io.lorica.tensor.Seed;
import io.lorica.train.data.Example;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.Comparator;
import java.util.List;
import java.util.Random;

/**
 * Which examples an optimizer step sees: every epoch a fresh permutation, drawn from the seed and the epoch's number, so
 * that step {@code n} can be found again without the steps before it. The permutation of the epoch asked for last is kept.
 */
final class Order {
    private final List<Example> data;
    private final int perStep;
    private final boolean shuffled;
    private final boolean groupByLength;
    private final Seed seed;
    private int[] permutation = new int[0];
    private long permuted = -1;

    Order(List<Example> data, int perStep, boolean shuffled, boolean groupByLength, Seed seed) {
        this.data = data;
        this.perStep = perStep;
        this.shuffled = shuffled;
        this.groupByLength = groupByLength;
        this.seed = seed;
    }

    /** The order of a run with these settings. */
    static Order of(TrainConfig config, List<Example> data, boolean shuffled) {
        int perStep = config.batchSize() * config.accumulation();
        return new Order(data, perStep, shuffled, config.groupByLength(), new Seed(config.seed()));
    }

    /** The examples of a step (from 0), in order; the last step of an epoch may be short. */
    List<Example> step(long step) {
        long stepsPerEpoch = Math.max(1, Math.ceilDiv(data.size(), perStep));
        long epoch = step / stepsPerEpoch;
        if (epoch != permuted) {
            permutation = permutation(epoch);
            permuted = epoch;
        }
        int from = Math.toIntExact(step % stepsPerEpoch) * perStep;
        return Arrays.stream(permutation, from, Math.min(data.size(), from + perStep))
                .mapToObj(data::get)
                .toList();
    }

    private int[] permutation(long epoch) {
        Random random = new Random(seed.of("order").of(epoch).value());
        List<Integer> indices = new ArrayList<>();
        for (int i = 0; i < data.size(); i++) {
            indices.add(i);
        }
        if (shuffled) {
            Collections.shuffle(indices, random);
        }
        if (groupByLength) {
            indices.sort(Comparator.comparingInt(i -> data.get(i).length()));
            List<List<Integer>> groups = new ArrayList<>();
            for (int from = 0; from < data.size(); from += perStep) {
                groups.add(indices.subList(from, Math.min(data.size(), from + perStep)));
            }
            Collections.shuffle(groups, random);
            indices = groups.stream().flatMap(List::stream).toList();
        }
        return indices.stream().mapToInt(Integer::intValue).toArray();
    }
}
