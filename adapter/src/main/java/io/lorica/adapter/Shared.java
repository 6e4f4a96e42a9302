package io.lorica.adapter;

import java.util.Map;
import java.util.SequencedMap;
import org.bytedeco.pytorch.Tensor;

/** What the sites of one adapter have in common: tensors and whatever a method's own implementation adds. */
public interface Shared extends AutoCloseable {

    Shared NOTHING = () -> new java.util.LinkedHashMap<>(Map.of());

    /** Tensors that are saved once for the whole adapter, by their full key in the file. */
    SequencedMap<String, Tensor> tensors();

    @Override
    default void close() {
        tensors().values().forEach(Tensor::close);
    }
}
