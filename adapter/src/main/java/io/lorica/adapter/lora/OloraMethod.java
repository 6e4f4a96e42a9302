package io.lorica.adapter.lora;

import com.fasterxml.jackson.databind.node.TextNode;

/**
 * OLoRA (Büyükakyüz, 2024): LoRA that starts from the QR decomposition of the weight. The base is left as it is (see
 * {@link LoraLinear}) and the adapter is saved as plain LoRA of twice the rank, so that it is right on the original
 * weights; PEFT's own files, which need the changed base, are read too.
 */
public final class OloraMethod extends LoraVariant {
    public OloraMethod() {
        super(
                "olora",
                "starts from the QR decomposition of each weight",
                "Büyükakyüz, OLoRA: Orthonormal Low-Rank Adaptation of Large Language Models, 2024",
                "starts from weights",
                "weights",
                "init_lora_weights",
                TextNode.valueOf("olora"));
    }
}
