package io.lorica.train;

import io.lorica.model.Batch;
import io.lorica.model.Pass;
import io.lorica.model.Transformer;
import io.lorica.tensor.Grad;
import io.lorica.tensor.Scope;
import io.lorica.train.data.Example;
import java.util.List;

/** Held-out loss: the mean of the {@link Objective} over all targets, of every reading. */
public final class Evaluation {
    private final Transformer model;
    private final int batchSize;
    private final Objective objective;

    public Evaluation(Transformer model, int batchSize) {
        this.model = model;
        this.batchSize = batchSize;
        this.objective = Objective.of(model);
    }

    public double loss(List<Example> examples) {
        double sum = 0;
        long targets = 0;
        for (int from = 0; from < examples.size(); from += batchSize) {
            List<Example> part = examples.subList(from, Math.min(examples.size(), from + batchSize));
            for (List<Example> reading : Example.readings(part)) {
                MicroBatch micro = MicroBatch.of(reading);
                try (Scope _ = Scope.open();
                        Grad _ = Grad.disabled()) {
                    Pass pass = Pass.inference();
                    Batch batch = micro.batch();
                    sum += objective.sum(model.hidden(batch, pass), batch, micro, pass);
                }
                targets += reading.stream().mapToInt(Example::targets).sum();
            }
        }
        return sum / Math.max(1, targets);
    }
}
