package io.lorica.model.llava;

/**
 * Names of LLaVA's tensors. Ours are transformers 5's module names, which PEFT sees there; files have them, or those that
 * transformers 5 and its forerunners save.
 */
final class LlavaNames {
    private static final String VISION = "model.vision_tower.";
    private static final String TEXT = "model.language_model.";

    private LlavaNames() {}

    /** From a name in the file, in any of its spellings. */
    static String canonical(String stored) {
        String name = stored;
        if (name.startsWith("language_model.lm_head.")) {
            return name.substring("language_model.".length());
        }
        if (name.startsWith("language_model.model.")) {
            return TEXT + name.substring("language_model.model.".length());
        }
        if (name.startsWith("vision_tower.") || name.startsWith("multi_modal_projector.")) {
            name = "model." + name;
        }
        return name.replace(VISION + "vision_model.", VISION);
    }

    /** From a name of the vision encoder alone. */
    static String vision(String name) {
        return VISION + (name.startsWith("vision_model.") ? name.substring("vision_model.".length()) : name);
    }

    /** From a name of the language model alone. */
    static String text(String name) {
        return name.startsWith("model.") ? TEXT + name.substring("model.".length()) : name;
    }
}
