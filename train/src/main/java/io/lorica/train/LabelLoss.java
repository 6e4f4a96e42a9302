package io.lorica.train;

import io.lorica.model.Batch;
import io.lorica.model.ClassifierModel;
import io.lorica.model.Pass;
import io.lorica.tensor.DType;
import io.lorica.tensor.Grad;
import io.lorica.tensor.Scope;
import io.lorica.tensor.Tensors;
import io.lorica.train.data.Example;
import java.util.List;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;

/**
 * Loss of a classifier's scores {@code s: [sequences, labels]} against one label a sequence, in float32: cross-entropy
 * {@code -log softmax(s_i)[y_i]}, or, with a single score, the squared error {@code (s_i - y_i)^2}. Both as
 * transformers' {@code …ForSequenceClassification} take them (their mean over a batch is this sum over {@code n}).
 */
record LabelLoss(ClassifierModel model) implements Objective {

    @Override
    public double backward(Tensor hidden, Batch batch, MicroBatch micro, long targetsInStep, Pass pass) {
        try (Scope _ = Scope.open()) {
            Tensor loss = loss(hidden, batch, micro, pass).mul(new Scalar(1.0 / targetsInStep));
            loss.backward();
            return loss.item_double();
        }
    }

    @Override
    public double sum(Tensor hidden, Batch batch, MicroBatch micro, Pass pass) {
        try (Scope _ = Scope.open();
                Grad _ = Grad.disabled()) {
            return loss(hidden, batch, micro, pass).item_double();
        }
    }

    private Tensor loss(Tensor hidden, Batch batch, MicroBatch micro, Pass pass) {
        Tensor scores = Tensors.to(model.classify(hidden, batch, pass), DType.F32);
        List<Example> examples = micro.examples();
        int count = examples.size();
        if (model.labels() == 1) {
            float[] wanted = new float[count];
            for (int i = 0; i < count; i++) {
                wanted[i] = (float) examples.get(i).label();
            }
            return scores.sub(Tensors.of(wanted, count, 1)).square().sum();
        }
        long[] wanted =
                examples.stream().mapToLong(example -> (long) example.label()).toArray();
        return torch.log_softmax(scores, -1)
                .gather(1, Tensors.of(wanted, count, 1))
                .sum()
                .neg();
    }
}
