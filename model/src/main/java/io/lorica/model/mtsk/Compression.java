package io.lorica.model.mtsk;

import io.lorica.model.ModelConfig;
import io.lorica.tensor.LoricaException;
import io.lorica.tensor.Scope;
import org.bytedeco.pytorch.Tensor;

/** Fewer and perhaps wider states: {@code c} neighbours become one, what remains at the end is dropped. */
enum Compression {
    /** Their mean. */
    AVERAGE("avg-pooling"),
    /** One after the other in one state. */
    STACK("stack");

    private final String key;

    Compression(String key) {
        this.key = key;
    }

    static Compression of(ModelConfig config) {
        String name = config.text("compression", AVERAGE.key);
        for (Compression compression : values()) {
            if (compression.key.equals(name)) {
                return compression;
            }
        }
        throw new LoricaException.Unsupported(
                config.where() + ": compression '" + name + "' is not supported (known: avg-pooling, stack)");
    }

    /** Width of what comes out. */
    int width(int width, int rate) {
        return this == STACK ? Math.multiplyExact(width, rate) : width;
    }

    /** {@code [T, width]} to {@code [floor(T / rate), width(width, rate)]}, owned by the caller's innermost scope. */
    Tensor apply(Tensor states, int rate) {
        try (Scope scope = Scope.open()) {
            long tokens = states.size(0) / rate;
            Tensor groups = states.narrow(0, 0, tokens * rate).reshape(tokens, rate, states.size(1));
            return scope.keep(this == STACK ? groups.flatten(1, 2) : groups.mean(1));
        }
    }
}
