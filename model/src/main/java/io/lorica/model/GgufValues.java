package io.lorica.model;

import io.lorica.tensor.LoricaException;
import java.util.Map;
import java.util.Optional;

/** GGUF metadata by key, with errors that say what was missing or of the wrong kind. */
record GgufValues(Map<String, ?> values, String where) {

    String text(String key) {
        if (required(key) instanceof String text) {
            return text;
        }
        throw wrong(key, "a text");
    }

    long integer(String key) {
        if (required(key) instanceof Long number && number >= 0 && number <= Integer.MAX_VALUE) {
            return number;
        }
        throw wrong(key, "a whole number from 0 to " + Integer.MAX_VALUE);
    }

    long integer(String key, long otherwise) {
        return values.containsKey(key) ? integer(key) : otherwise;
    }

    Optional<Long> find(String key) {
        return values.containsKey(key) ? Optional.of(integer(key)) : Optional.empty();
    }

    /** The number as it was written before it became a float32: 1e-5, not 9.999999747378752e-6. */
    double number(String key) {
        return switch (required(key)) {
            case Float number when Float.isFinite(number) -> Double.parseDouble(Float.toString(number));
            case Double number when Double.isFinite(number) -> number;
            case Long number -> number;
            default -> throw wrong(key, "a finite number");
        };
    }

    double number(String key, double otherwise) {
        return values.containsKey(key) ? number(key) : otherwise;
    }

    private Object required(String key) {
        Object value = values.get(key);
        if (value == null) {
            throw new LoricaException.BadInput(
                    where + ": metadata '" + key + "' is missing; the file is no whole model, convert it again");
        }
        return value;
    }

    private LoricaException wrong(String key, String expected) {
        String value = String.valueOf(values.get(key));
        return new LoricaException.BadInput(where + ": metadata '" + key + "' is "
                + value.substring(0, Math.min(80, value.length())) + ", but must be " + expected
                + "; convert the file again");
    }
}
