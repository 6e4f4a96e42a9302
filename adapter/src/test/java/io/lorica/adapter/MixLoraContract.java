package io.lorica.adapter;

import java.util.List;

/** What the routings of MixLoRA have in common. */
abstract class MixLoraContract extends MethodContract {
    private static final List<String> SUFFIXES = List.of(
            ".self_attn.q_proj.lora_A.weight",
            ".self_attn.q_proj.lora_B.weight",
            ".mlp.down_proj.experts.0.lora_A.weight",
            ".mlp.down_proj.experts.0.lora_B.weight",
            ".mlp.down_proj.experts.1.lora_A.weight",
            ".mlp.down_proj.experts.1.lora_B.weight",
            ".mlp.down_proj.experts.2.lora_A.weight",
            ".mlp.down_proj.experts.2.lora_B.weight",
            ".mlp.moe_gate.weight");

    @Override
    String method() {
        return "mixlora";
    }

    @Override
    boolean mergeable() {
        return false;
    }

    @Override
    String prefix() {
        return "mixlora.layers.";
    }

    @Override
    List<String> suffixes() {
        return SUFFIXES;
    }
}
