package io.lorica.adapter;

import com.fasterxml.jackson.databind.node.ObjectNode;

/** A method's own settings; implementations are records. */
public interface MethodConfig {

    /** Writes every key into a PEFT {@code adapter_config.json}; {@link Method#parse} reads the same keys back. */
    void writeTo(ObjectNode json);
}
