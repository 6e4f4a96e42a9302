package io.lorica.serve.mix;

import java.util.List;

/** The adapters that act on one request, each with its weight; none for the base alone. They add up. */
public record Blend(List<Part> parts) {
    public static final Blend BASE = new Blend(List.of());

    /** One adapter with the factor on what it adds. */
    public record Part(ServedAdapter adapter, double weight) {}

    public Blend {
        parts = List.copyOf(parts);
    }

    public static Blend of(ServedAdapter adapter) {
        return new Blend(List.of(new Part(adapter, 1)));
    }
}
