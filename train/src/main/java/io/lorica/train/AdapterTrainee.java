package io.lorica.train;

import io.lorica.adapter.Adapter;
import io.lorica.adapter.Trainable;
import io.lorica.adapter.TrainingRule;
import io.lorica.model.Transformer;
import io.lorica.tensor.Seed;
import java.nio.file.Path;
import java.util.List;
import java.util.SequencedMap;
import org.bytedeco.pytorch.Tensor;

/** An adapter that learns while its base stays frozen. The adapter must be active on an {@code AdapterStack}. */
public final class AdapterTrainee implements Trainee {
    private final Transformer model;
    private final Adapter adapter;
    private final TrainingRule rule;

    /** @param seed of what the method draws during training */
    public AdapterTrainee(Transformer model, Adapter adapter, Seed seed) {
        this.model = model;
        this.adapter = adapter;
        this.rule = adapter.trainingRule(seed);
    }

    @Override
    public Transformer model() {
        return model;
    }

    @Override
    public List<Trainable> trainables() {
        return adapter.trainables();
    }

    @Override
    public SequencedMap<String, Tensor> state() {
        return adapter.state();
    }

    @Override
    public TrainingRule rule() {
        return rule;
    }

    @Override
    public void save(Path directory) {
        adapter.save(directory);
    }
}
