package io.lorica.adapter;

import io.lorica.model.Pass;
import java.util.LinkedHashMap;
import java.util.SequencedMap;

/**
 * A loss on what happens inside one forward pass, such as how evenly routers use their experts. It travels with the pass, whose
 * overlays tell it what they did and put its gradient into the graph themselves: so it costs no second backward pass, and a
 * block that is computed again (gradient checkpointing) tells the same again.
 */
public interface PassLoss extends Pass.Facts {

    /** What the pass added to the step's loss; known once the forward pass is over. */
    double value();

    /** How routers used their experts, by router in the order of the pass; empty where nothing is routed. */
    default SequencedMap<String, ExpertUse> uses() {
        return new LinkedHashMap<>();
    }
}
