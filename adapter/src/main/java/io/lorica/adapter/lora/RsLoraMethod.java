package io.lorica.adapter.lora;

import com.fasterxml.jackson.databind.node.BooleanNode;

/**
 * rsLoRA (Kalajdzievski, 2023): LoRA scaled by {@code alpha / sqrt(r)}, so that higher ranks keep learning. To be
 * preferred to plain LoRA from about rank 32 up.
 */
public final class RsLoraMethod extends LoraVariant {
    public RsLoraMethod() {
        super(
                "rslora",
                "LoRA scaled by alpha / sqrt(r): stable at high ranks",
                "Kalajdzievski, A Rank Stabilization Scaling Factor for Fine-Tuning with LoRA, 2023",
                "training rule",
                "nothing",
                "use_rslora",
                BooleanNode.TRUE);
    }
}
