package io.lorica.adapter;

import io.lorica.tensor.LoricaException;
import java.util.ArrayList;
import java.util.List;

/**
 * How much of an adapter's file found its place.
 *
 * @param loaded tensors that were read into the adapter
 * @param expected tensors the configuration asks for on this base
 * @param sites adapted sites
 * @param missing keys the configuration asks for and the file lacks
 * @param unexpected keys of the file that have no place
 */
public record Coverage(int loaded, int expected, int sites, List<String> missing, List<String> unexpected) {
    private static final int SHOWN = 12;

    public boolean full() {
        return missing.isEmpty() && unexpected.isEmpty();
    }

    /** {@code 196 of 196 tensors on 98 sites}. */
    @Override
    public String toString() {
        return loaded + " of " + expected + " tensors on " + sites + " sites";
    }

    void requireFull(String where) {
        if (full()) {
            return;
        }
        List<String> lines = new ArrayList<>();
        list("missing in the file", missing, lines);
        list("in the file without a place in this model", unexpected, lines);
        throw new LoricaException.Incompatible(where + ": " + this + ":\n  " + String.join("\n  ", lines)
                + "\nis this the base it was trained on? To load what fits all the same, allow a partial load");
    }

    private static void list(String title, List<String> keys, List<String> lines) {
        keys.stream().limit(SHOWN).forEach(key -> lines.add(title + ": " + key));
        if (keys.size() > SHOWN) {
            lines.add(title + ": … and " + (keys.size() - SHOWN) + " more");
        }
    }
}
