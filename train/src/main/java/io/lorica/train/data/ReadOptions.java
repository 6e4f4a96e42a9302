package io.lorica.train.data;

import io.lorica.tensor.LoricaException;
import java.util.Map;

/**
 * How rows become examples.
 *
 * @param maxLength most tokens of an example; longer ones are cut and counted, plain text is chunked. At least 2
 * @param columns names of columns, by {@link DataFormat#SETTINGS}; empty to go by the usual names
 */
public record ReadOptions(int maxLength, Template template, Map<String, String> columns) {
    public ReadOptions {
        if (maxLength < 2) {
            throw new LoricaException.BadInput("max_length is " + maxLength + ", must be at least 2");
        }
        columns = Map.copyOf(columns);
    }

    public static ReadOptions ofLength(int maxLength) {
        return new ReadOptions(maxLength, Template.AUTO, Map.of());
    }
}
