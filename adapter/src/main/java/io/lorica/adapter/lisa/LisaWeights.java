package io.lorica.adapter.lisa;

import io.lorica.adapter.Shared;
import io.lorica.adapter.Trainable;
import io.lorica.model.BaseModel;
import io.lorica.model.Parameter;
import io.lorica.tensor.DType;
import io.lorica.tensor.Grad;
import io.lorica.tensor.Scope;
import io.lorica.tensor.Tensors;
import java.util.ArrayList;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Objects;
import java.util.SequencedMap;
import java.util.SortedMap;
import java.util.SortedSet;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.function.Supplier;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.bytedeco.pytorch.Tensor;

/**
 * The weights that stand in the place of the base's. One that learns is float32 and cast to the base's dtype on each use;
 * one that learnt and sleeps is kept in the base's dtype (in float32 where state is kept); one that never learnt is the
 * base's own, mapped from its file, and costs nothing.
 */
final class LisaWeights implements Shared {
    /** The number of a layer within a weight's name, whatever the list of layers is called. */
    static final Pattern LAYER = Pattern.compile("(?:.*\\.)?(?:layers|layer|h)\\.(\\d+)\\..*");

    private static final String PREFIX = "model.";

    private final DType dtype;
    private final boolean keepState;
    private final List<Parameter> always = new ArrayList<>();
    private final SortedMap<Integer, List<Parameter>> layers = new TreeMap<>();
    private final SequencedMap<Parameter, Tensor> values = new LinkedHashMap<>();
    private final SortedSet<Integer> awake = new TreeSet<>();

    LisaWeights(BaseModel model, LisaConfig config) {
        dtype = model.dtype();
        keepState = config.keepState();
        for (Parameter parameter : model.parameters().values()) {
            Matcher matcher = LAYER.matcher(parameter.name());
            if (matcher.matches()) {
                layers.computeIfAbsent(Integer.valueOf(matcher.group(1)), _ -> new ArrayList<>())
                        .add(parameter);
            } else if (config.embeddings()) {
                always.add(parameter);
            }
        }
        always.forEach(parameter -> put(parameter, DType.F32));
        config.changed().forEach(layer -> weights(layer).forEach(parameter -> put(parameter, dtype)));
    }

    private List<Parameter> weights(int layer) {
        return layers.getOrDefault(layer, List.of());
    }

    List<Integer> layers() {
        return List.copyOf(layers.keySet());
    }

    /** Those that have other weights than the base's. */
    SortedSet<Integer> changed() {
        SortedSet<Integer> changed = new TreeSet<>();
        layers.forEach((layer, parameters) -> {
            if (values.containsKey(parameters.getFirst())) {
                changed.add(layer);
            }
        });
        return changed;
    }

    SortedSet<Integer> awake() {
        return awake;
    }

    /** Puts the value in force in the parameter's place as a copy of that type. */
    private void put(Parameter parameter, DType type) {
        try (Scope _ = Scope.open();
                Grad _ = Grad.disabled()) {
            Tensor old = values.get(parameter);
            if (old != null && DType.of(old) == type) {
                return;
            }
            Tensor source = old == null ? parameter.frozen() : old.detach();
            values.put(parameter, Scope.release(source.to(type.scalarType(), false, true, null)));
            if (old != null) {
                old.close();
            }
        }
    }

    /** Lets these layers learn and no other; their weights stand in the model at once. */
    void wake(Collection<Integer> chosen) {
        for (int layer : List.copyOf(awake)) {
            if (!chosen.contains(layer)) {
                weights(layer).forEach(this::sleep);
            }
        }
        awake.clear();
        awake.addAll(chosen);
        for (int layer : chosen) {
            for (Parameter parameter : weights(layer)) {
                put(parameter, DType.F32);
                learns(parameter, true);
                parameter.override(() -> value(parameter));
            }
        }
    }

    private void sleep(Parameter parameter) {
        learns(parameter, false);
        put(parameter, keepState ? DType.F32 : dtype);
    }

    private void learns(Parameter parameter, boolean learns) {
        try (Scope _ = Scope.open()) {
            Tensor value = values.get(parameter);
            if (value != null) {
                value.set_requires_grad(learns);
                if (!learns) {
                    value.mutable_grad().reset();
                }
            }
        }
    }

    /** Makes the tensors that a checkpoint with these layers holds, whatever was there before. */
    void prepare(Collection<Integer> changed, Collection<Integer> learning) {
        wake(List.of());
        layers.values().stream().flatMap(List::stream).forEach(parameter -> {
            Tensor value = values.remove(parameter);
            if (value != null) {
                value.close();
                parameter.restore();
            }
        });
        for (int layer : changed) {
            for (Parameter parameter : weights(layer)) {
                put(parameter, keepState ? DType.F32 : dtype);
                parameter.override(() -> value(parameter));
            }
        }
        wake(learning);
    }

    /** In the base's dtype: a cast that gradients flow through. */
    private Tensor value(Parameter parameter) {
        return Tensors.to(Objects.requireNonNull(values.get(parameter)), dtype);
    }

    @Override
    public SequencedMap<String, Tensor> tensors() {
        SequencedMap<String, Tensor> tensors = new LinkedHashMap<>();
        values.forEach((parameter, value) -> tensors.put(PREFIX + parameter.name(), value));
        return tensors;
    }

    /** Weights outside the layers learn always; those of a layer where it is awake, or may wake again with its state. */
    @Override
    public boolean trainable(String key) {
        Matcher matcher = LAYER.matcher(key.substring(PREFIX.length()));
        return !matcher.matches() || keepState || awake.contains(Integer.valueOf(matcher.group(1)));
    }

    @Override
    public Trainable.Role role(String key) {
        return Trainable.Role.MODULE;
    }

    @Override
    public SequencedMap<Parameter, Supplier<Tensor>> replaced() {
        SequencedMap<Parameter, Supplier<Tensor>> replaced = new LinkedHashMap<>();
        values.keySet().forEach(parameter -> replaced.put(parameter, () -> value(parameter)));
        return replaced;
    }
}
