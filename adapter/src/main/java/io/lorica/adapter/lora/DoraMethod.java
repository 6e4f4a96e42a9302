package io.lorica.adapter.lora;

import com.fasterxml.jackson.databind.node.BooleanNode;

/** DoRA (Liu et al., 2024): row norms and directions of the weight are learned apart; see {@link Magnitude}. */
public final class DoraMethod extends LoraVariant {
    public DoraMethod() {
        super(
                "dora",
                "row norms and directions of each weight learned apart",
                "Liu et al., DoRA: Weight-Decomposed Low-Rank Adaptation, 2024",
                "other form",
                "weights",
                "use_dora",
                BooleanNode.TRUE);
    }
}
