package io.lorica.train;

import io.lorica.train.data.Example;
import java.util.ArrayList;
import java.util.List;

/**
 * Training examples in two parts that share none: those that the loop keeps, and those that it leaves to the method, taken
 * at even distances.
 */
record Lending(List<Example> kept, List<Example> lent) {

    /** @param share of the examples that are lent, between 0 and 1; each part gets at least one */
    static Lending of(List<Example> examples, double share) {
        List<Example> kept = new ArrayList<>();
        List<Example> lent = new ArrayList<>();
        for (int i = 0; i < examples.size(); i++) {
            boolean lends = Math.floor((i + 1) * share) > Math.floor(i * share);
            (lends ? lent : kept).add(examples.get(i));
        }
        if (lent.isEmpty()) {
            lent.add(kept.removeLast());
        }
        if (kept.isEmpty()) {
            kept.add(lent.removeLast());
        }
        return new Lending(kept, lent);
    }
}
