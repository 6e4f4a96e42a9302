package io.lorica.train;

import io.lorica.model.CausalModel;
import io.lorica.model.Pass;
import io.lorica.tensor.Grad;
import io.lorica.tensor.Scope;
import io.lorica.train.data.Example;
import java.util.List;

/** Held-out loss: mean negative log-likelihood over all targets, in nats. */
public final class Evaluation {
    private final CausalModel model;
    private final int batchSize;
    private final TokenLoss loss;

    public Evaluation(CausalModel model, int batchSize) {
        this.model = model;
        this.batchSize = batchSize;
        this.loss = new TokenLoss(model, false);
    }

    public double loss(List<Example> examples) {
        double sum = 0;
        long targets = 0;
        for (int from = 0; from < examples.size(); from += batchSize) {
            MicroBatch micro = MicroBatch.of(examples.subList(from, Math.min(examples.size(), from + batchSize)));
            try (Scope _ = Scope.open();
                    Grad _ = Grad.disabled()) {
                Pass pass = Pass.inference();
                sum += loss.sum(model.hidden(micro.batch(), pass), micro, pass);
            }
            targets += micro.targets().length;
        }
        return sum / Math.max(1, targets);
    }
}
