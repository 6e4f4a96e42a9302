package io.lorica.train;

import io.lorica.adapter.Trainable;
import io.lorica.adapter.TrainingRule;
import io.lorica.model.Transformer;
import io.lorica.tensor.DType;
import java.nio.file.Path;
import java.util.List;
import java.util.SequencedMap;
import org.bytedeco.pytorch.Tensor;

/** A whole model that learns; see {@link Masters}. */
public final class FullTrainee implements Trainee, AutoCloseable {
    private final Transformer model;
    private final DType savedAs;
    private final Masters masters;

    /** @param savedAs dtype of the written weights */
    public FullTrainee(Transformer model, DType savedAs) {
        this.model = model;
        this.savedAs = savedAs;
        masters = new Masters(model);
    }

    @Override
    public Transformer model() {
        return model;
    }

    @Override
    public List<Trainable> trainables() {
        return masters.trainables();
    }

    @Override
    public SequencedMap<String, Tensor> state() {
        return masters.weights();
    }

    @Override
    public TrainingRule rule() {
        return TrainingRule.PLAIN;
    }

    @Override
    public void save(Path directory) {
        masters.save(directory, savedAs);
    }

    @Override
    public void close() {
        masters.close();
    }
}
