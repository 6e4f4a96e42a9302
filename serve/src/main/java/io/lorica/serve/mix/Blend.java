package io.lorica.serve.mix;

import io.lorica.tensor.LoricaException;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** The adapters that act on one request, each with its weight; none for the base alone. They add up. */
public record Blend(List<Part> parts) {
    public static final Blend BASE = new Blend(List.of());

    /** One adapter with the factor on what it adds. */
    public record Part(ServedAdapter adapter, double weight) {}

    public Blend {
        parts = List.copyOf(parts);
    }

    /** Whether one of them replaces weights or biases of the base rather than adding to what they give. */
    public boolean replaces() {
        return parts.stream().anyMatch(part -> !part.adapter().swaps().isEmpty());
    }

    /** @throws LoricaException.Incompatible where two of them replace the same */
    public void requireNoConflict() {
        Map<List<Object>, String> owners = new HashMap<>();
        for (Part part : parts) {
            for (ServedAdapter.Swap swap : part.adapter().swaps()) {
                String name = part.adapter().name();
                String other = owners.put(List.of(swap.site(), swap.parameter()), name);
                if (other != null) {
                    throw new LoricaException.Incompatible("adapters '" + other + "' and '" + name + "' both replace "
                            + swap.parameter().name() + " (modules_to_save, bias); ask for only one of them");
                }
            }
        }
    }

    public static Blend of(ServedAdapter adapter) {
        return new Blend(List.of(new Part(adapter, 1)));
    }
}
