package io.lorica.adapter;

import com.fasterxml.jackson.databind.node.ObjectNode;
import io.lorica.tensor.LoricaException;
import io.lorica.tensor.Names;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.ServiceLoader;

/** Every method on the class path, by name and by {@code peft_type}. */
public final class Methods {
    private static final List<Method> ALL = ServiceLoader.load(Method.class).stream()
            .map(ServiceLoader.Provider::get)
            .sorted(Comparator.comparing(method -> method.info().name()))
            .toList();

    private Methods() {}

    /** In the order of their names. */
    public static List<Method> all() {
        return ALL;
    }

    public static List<String> names() {
        return ALL.stream().map(method -> method.info().name()).toList();
    }

    /** By the name given to {@code --method}. */
    public static Method named(String name) {
        return ALL.stream()
                .filter(method -> method.info().name().equals(name.toLowerCase(Locale.ROOT)))
                .findFirst()
                .orElseThrow(() -> new LoricaException.BadInput("unknown method '" + name + "'"
                        + Names.didYouMean(name, names()) + " (known: " + String.join(", ", names()) + ")"));
    }

    /**
     * By what {@code adapter_config.json} says. Where several methods share a {@code peft_type} (DoRA is saved as LORA),
     * the one that claims the file reads it, else the one with the type's name.
     */
    static Method ofPeftType(String type, ObjectNode json, String where) {
        List<Method> sharing = ALL.stream()
                .filter(method -> method.info().peftType().equals(type))
                .toList();
        return sharing.stream()
                .filter(method -> method.claims(json))
                .findFirst()
                .or(() -> sharing.stream()
                        .filter(method -> method.info().name().equals(type.toLowerCase(Locale.ROOT)))
                        .findFirst())
                .or(() -> sharing.stream().findFirst())
                .orElseThrow(() -> {
                    List<String> known = ALL.stream()
                            .map(method -> method.info().peftType())
                            .distinct()
                            .toList();
                    return new LoricaException.Unsupported(where + ": key 'peft_type' is '" + type
                            + "', which Lorica does not read" + Names.didYouMean(type, known) + " (known: "
                            + String.join(", ", known) + ")");
                });
    }
}
