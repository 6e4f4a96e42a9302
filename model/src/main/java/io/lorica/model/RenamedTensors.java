package io.lorica.model;

import io.lorica.tensor.LoricaException;
import io.lorica.tensor.Quantized;
import io.lorica.tensor.TensorSource;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import java.util.SequencedMap;
import java.util.SequencedSet;
import java.util.function.UnaryOperator;
import org.bytedeco.pytorch.Tensor;

/** The tensors of another source under other names, in the same order. Closing it closes the other. */
public final class RenamedTensors implements TensorSource {
    private final TensorSource source;
    private final SequencedMap<String, String> originals = new LinkedHashMap<>();

    /** @throws LoricaException.BadInput if two tensors get the same name */
    public RenamedTensors(TensorSource source, UnaryOperator<String> rename) {
        this.source = source;
        for (String original : source.names()) {
            String name = rename.apply(original);
            String other = originals.putIfAbsent(name, original);
            if (other != null) {
                throw new LoricaException.BadInput("the checkpoint's tensors '" + other + "' and '" + original
                        + "' both name '" + name + "'; remove one of them");
            }
        }
    }

    @Override
    public Map<String, String> metadata() {
        return source.metadata();
    }

    @Override
    public SequencedSet<String> names() {
        return Collections.unmodifiableSequencedSet(originals.sequencedKeySet());
    }

    @Override
    public TensorInfo info(String name) {
        return source.info(original(name));
    }

    @Override
    public Tensor read(String name) {
        return source.read(original(name));
    }

    @Override
    public Optional<Quantized> quantized(String name) {
        return source.quantized(original(name));
    }

    @Override
    public void unload() {
        source.unload();
    }

    private String original(String name) {
        return originals.getOrDefault(name, name); // an unknown name gets the source's own error
    }

    @Override
    public void close() {
        source.close();
    }
}
