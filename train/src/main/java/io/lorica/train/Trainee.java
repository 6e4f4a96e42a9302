package io.lorica.train;

import io.lorica.adapter.Trainable;
import io.lorica.adapter.TrainingRule;
import io.lorica.model.Transformer;
import java.nio.file.Path;
import java.util.List;
import java.util.SequencedMap;
import org.bytedeco.pytorch.Tensor;

/** What a {@link Trainer} moves: an adapter on a frozen model, or a whole model. */
public interface Trainee {

    Transformer model();

    /** Float32 leaves that take gradients. */
    List<Trainable> trainables();

    /** Every tensor that a checkpoint must hold so that training goes on exactly, by name; copied into to restore. */
    SequencedMap<String, Tensor> state();

    /** What the method changes about the loop. */
    TrainingRule rule();

    /** Writes what was learned, in the form others load. */
    void save(Path directory);
}
