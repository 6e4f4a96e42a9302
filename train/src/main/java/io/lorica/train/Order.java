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
 * that step {@code n} can be found again without the steps before it.
 */
record Order(int examples, int perStep, boolean shuffled, boolean groupByLength, Seed seed) {

    /** The examples of a step (from 0), in order; the last step of an epoch may be short. */
    List<Example> step(List<Example> data, long step) {
        long stepsPerEpoch = Math.max(1, Math.ceilDiv(examples, perStep));
        int[] order = permutation(data, step / stepsPerEpoch);
        int from = Math.toIntExact(step % stepsPerEpoch) * perStep;
        return Arrays.stream(order, from, Math.min(examples, from + perStep))
                .mapToObj(data::get)
                .toList();
    }

    private int[] permutation(List<Example> data, long epoch) {
        Random random = new Random(seed.of("order").of(epoch).value());
        List<Integer> indices = new ArrayList<>();
        for (int i = 0; i < examples; i++) {
            indices.add(i);
        }
        if (shuffled) {
            Collections.shuffle(indices, random);
        }
        if (groupByLength) {
            indices.sort(Comparator.comparingInt(i -> data.get(i).length()));
            List<List<Integer>> groups = new ArrayList<>();
            for (int from = 0; from < examples; from += perStep) {
                groups.add(indices.subList(from, Math.min(examples, from + perStep)));
            }
            Collections.shuffle(groups, random);
            indices = groups.stream().flatMap(List::stream).toList();
        }
        return indices.stream().mapToInt(Integer::intValue).toArray();
    }
}
