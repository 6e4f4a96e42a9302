package io.lorica.serve.engine;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.stream.IntStream;

/** {@code log softmax} of one row of logits. */
record TokenLogprobs(double[] values) {

    static TokenLogprobs of(float[] logits) {
        double max = Double.NEGATIVE_INFINITY;
        for (float logit : logits) {
            max = Math.max(max, logit);
        }
        double sum = 0;
        for (float logit : logits) {
            sum += Math.exp(logit - max);
        }
        double norm = max + Math.log(sum);
        double[] values = new double[logits.length];
        for (int i = 0; i < values.length; i++) {
            values[i] = logits[i] - norm;
        }
        return new TokenLogprobs(values);
    }

    /** @param count how many of the likeliest tokens to list */
    Listener.Logprobs report(long chosen, int count) {
        List<Listener.Candidate> top = new ArrayList<>();
        if (count > 0) {
            IntStream.range(0, values.length)
                    .boxed()
                    .sorted(Comparator.comparingDouble((Integer id) -> values[id])
                            .reversed())
                    .limit(count)
                    .forEach(id -> top.add(new Listener.Candidate(id, values[id])));
        }
        return new Listener.Logprobs(values[(int) chosen], top);
    }
}
