package io.lorica.train;

import io.lorica.adapter.Trainable;
import io.lorica.adapter.TrainingRule;
import io.lorica.model.Parameter;
import io.lorica.model.Transformer;
import io.lorica.tensor.DType;
import io.lorica.tensor.Grad;
import io.lorica.tensor.SafetensorsFile;
import io.lorica.tensor.Scope;
import io.lorica.tensor.Tensors;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SequencedMap;
import org.bytedeco.pytorch.Tensor;

/**
 * A whole model that learns: every weight gets a float32 override that takes gradients. The model must have been loaded
 * in float32.
 */
public final class FullTrainee implements Trainee, AutoCloseable {
    private final Transformer model;
    private final DType savedAs;
    private final List<Trainable> trainables = new ArrayList<>();

    /** @param savedAs dtype of the written weights */
    public FullTrainee(Transformer model, DType savedAs) {
        this.model = model;
        this.savedAs = savedAs;
        try (Scope _ = Scope.open();
                Grad _ = Grad.disabled()) {
            for (Parameter parameter : model.parameters().values()) {
                Tensor master = Scope.release(parameter.frozen().to(DType.F32.scalarType(), false, true, null));
                parameter.override(master.set_requires_grad(true));
                trainables.add(new Trainable(parameter.name(), master, Trainable.Role.MODULE));
            }
        }
    }

    @Override
    public Transformer model() {
        return model;
    }

    @Override
    public List<Trainable> trainables() {
        return trainables;
    }

    @Override
    public SequencedMap<String, Tensor> state() {
        SequencedMap<String, Tensor> state = new LinkedHashMap<>();
        trainables.forEach(trainable -> state.put(trainable.name(), trainable.tensor()));
        return state;
    }

    @Override
    public TrainingRule rule() {
        return TrainingRule.PLAIN;
    }

    @Override
    public void save(Path directory) {
        try (Scope _ = Scope.open();
                Grad _ = Grad.disabled()) {
            SequencedMap<String, Tensor> tensors = new LinkedHashMap<>();
            state().forEach((name, tensor) -> tensors.put(name, Tensors.to(tensor.detach(), savedAs)));
            SafetensorsFile.write(directory.resolve("model.safetensors"), tensors, Map.of("format", "pt"));
        }
    }

    @Override
    public void close() {
        model.parameters().values().forEach(Parameter::restore);
        trainables.forEach(trainable -> trainable.tensor().close());
        trainables.clear();
    }
}
