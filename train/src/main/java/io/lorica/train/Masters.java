package io.lorica.train;

import io.lorica.adapter.Trainable;
import io.lorica.model.BaseModel;
import io.lorica.model.Parameter;
import io.lorica.tensor.DType;
import io.lorica.tensor.Grad;
import io.lorica.tensor.SafetensorsFile;
import io.lorica.tensor.Scope;
import io.lorica.tensor.Tensors;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SequencedMap;
import org.bytedeco.pytorch.Tensor;

/**
 * The weights of a model that learns as a whole: each has a float32 override that takes gradients, until this is closed. The
 * model must have been loaded in float32.
 */
public final class Masters implements AutoCloseable {
    private final BaseModel model;
    private final SequencedMap<String, Tensor> weights = new LinkedHashMap<>();
    private final SequencedMap<String, Tensor> probes = new LinkedHashMap<>();

    public Masters(BaseModel model) {
        this.model = model;
        try (Scope _ = Scope.open();
                Grad _ = Grad.disabled()) {
            for (Parameter parameter : model.parameters().values()) {
                Tensor master = Scope.release(parameter.frozen().to(DType.F32.scalarType(), false, true, null));
                parameter.override(master.set_requires_grad(true));
                weights.put(parameter.name(), master);
            }
        }
    }

    /** The weights by their names. */
    public SequencedMap<String, Tensor> weights() {
        return weights;
    }

    /** A map {@code [in, out]} of zeros that learns along with the weights, and is no part of what is saved. */
    public Tensor probe(String name, long in, long out) {
        try (Scope _ = Scope.open()) {
            return probes.computeIfAbsent(
                    name, _ -> Scope.release(Tensors.zeros(DType.F32, in, out)).set_requires_grad(true));
        }
    }

    /** The weights, as what an optimizer moves. */
    public List<Trainable> trainables() {
        return trainables(weights);
    }

    private static List<Trainable> trainables(SequencedMap<String, Tensor> tensors) {
        return tensors.entrySet().stream()
                .map(entry -> new Trainable(entry.getKey(), entry.getValue(), Trainable.Role.MODULE))
                .toList();
    }

    /**
     * AdamW over weights and probes with {@code beta1 = 0.9} and {@code beta2 = 0.98}.
     *
     * @param decay of matrices; vectors have none
     */
    public AdamW optimizer(double epsilon, double decay) {
        AdamW optimizer = new AdamW(0.9, 0.98, epsilon);
        for (SequencedMap<String, Tensor> tensors : List.of(weights, probes)) {
            trainables(tensors)
                    .forEach(each -> optimizer.add(each, 1, each.tensor().dim() > 1 ? decay : 0));
        }
        return optimizer;
    }

    /** Writes {@code model.safetensors}. */
    public void save(Path directory, DType savedAs) {
        try (Scope _ = Scope.open();
                Grad _ = Grad.disabled()) {
            SequencedMap<String, Tensor> tensors = new LinkedHashMap<>();
            weights.forEach((name, tensor) -> tensors.put(name, Tensors.to(tensor.detach(), savedAs)));
            SafetensorsFile.write(directory.resolve("model.safetensors"), tensors, Map.of("format", "pt"));
        }
    }

    @Override
    public void close() {
        model.parameters().values().forEach(Parameter::restore);
        weights.values().forEach(Tensor::close);
        probes.values().forEach(Tensor::close);
        weights.clear();
        probes.clear();
    }
}
