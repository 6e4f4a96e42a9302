package io.lorica.train;

import io.lorica.adapter.Calibration;
import io.lorica.model.Pass;
import io.lorica.model.Transformer;
import io.lorica.tensor.DType;
import io.lorica.tensor.Grad;
import io.lorica.tensor.LoricaException;
import io.lorica.tensor.Scope;
import io.lorica.tensor.Tensors;
import io.lorica.train.data.Example;
import java.util.ArrayList;
import java.util.List;
import org.bytedeco.pytorch.Tensor;

/** Training examples run through a model, for methods that start from data. Those without a target are left out. */
public final class DataCalibration implements Calibration {
    private final Transformer model;
    private final List<Example> examples;
    private final TrainListener listener;

    /** @param listener hears how far a pass is */
    public DataCalibration(Transformer model, List<Example> examples, TrainListener listener) {
        this.model = model;
        this.listener = listener;
        this.examples =
                examples.stream().filter(example -> example.targets() > 0).toList();
        if (this.examples.isEmpty()) {
            throw new LoricaException.BadInput("none of the " + examples.size()
                    + " examples has a target, so a method that starts from data has nothing to start from; check the"
                    + " completion column and max_length");
        }
    }

    @Override
    public int examples() {
        return examples.size();
    }

    @Override
    public void forward(long from, int count) {
        try (Scope _ = Scope.open();
                Grad _ = Grad.disabled()) {
            model.hidden(batch(from, count).batch(), Pass.inference());
        }
        listener.calibrated(from + count);
    }

    @Override
    public double backward(long from, int count) {
        MicroBatch batch = batch(from, count);
        GradientPass pass = new GradientPass(model, false);
        return pass.run(
                batch, batch.examples().stream().mapToInt(Example::targets).sum(), Pass.inference());
    }

    @Override
    public void backwardByBlock(int batches, int count, Runnable complete) {
        try (Scope _ = Scope.open()) {
            List<Descent> descents = new ArrayList<>();
            for (int i = 0; i < batches; i++) {
                descents.add(Descent.begin(model, batch((long) i * count, count)));
            }
            complete.run();
            for (int block = model.blocks().size() - 1; block >= 0; block--) {
                for (Descent descent : descents) {
                    descent.through(model.blocks().get(block), block);
                }
                complete.run();
                listener.calibrated((long) batches * count);
            }
        }
    }

    @Override
    public Tensor supervised(long from, int count) {
        List<Example> chosen = batch(from, count).examples();
        long[] marks = new long[chosen.stream().mapToInt(Example::length).sum()];
        int at = 0;
        for (Example example : chosen) {
            for (boolean target : example.supervised()) {
                marks[at++] = target ? 1 : 0;
            }
        }
        try (Scope scope = Scope.open()) {
            return scope.keep(Tensors.to(Tensors.of(marks), DType.BOOL));
        }
    }

    private MicroBatch batch(long from, int count) {
        List<Example> chosen = new ArrayList<>();
        for (long i = from; i < from + count; i++) {
            chosen.add(examples.get((int) (i % examples.size())));
        }
        return MicroBatch.of(chosen);
    }
}
