package io.lorica.train.fewshot;

import io.lorica.train.eval.Interval;
import java.util.List;

/**
 * Accuracy on the test pictures after training on so many shots.
 *
 * @param method its label; {@code zero-shot} for the base as it is
 * @param parameters trained numbers
 * @param test accuracy of each seed
 * @param train accuracy on the shots themselves, mean over seeds
 * @param seconds of training, mean over seeds
 */
public record FewShotRow(String method, int shots, long parameters, List<Double> test, double train, double seconds) {

    /** Mean over seeds with its 95 % interval. */
    public Interval accuracy() {
        return Interval.overSeeds(test);
    }
}
