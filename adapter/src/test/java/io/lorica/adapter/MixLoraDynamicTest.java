package io.lorica.adapter;

/** {@code routing_strategy: mixlora-dynamic}. */
class MixLoraDynamicTest extends MixLoraContract {

    @Override
    String settings() {
        return "{'r': 4, 'lora_alpha': 8, 'lora_dropout': 0.0, 'num_experts': 3, 'routing_strategy': 'mixlora-dynamic',"
                + " 'top_p': 0.4, " + TARGETS + "}";
    }

    /** It does not begin as the base: the probabilities of the visited experts sum to less than 1. */
    @Override
    double startTolerance() {
        return Double.POSITIVE_INFINITY;
    }
}
