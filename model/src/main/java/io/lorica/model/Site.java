package io.lorica.model;

/**
 * A place in a frozen base model where an adapter may act, known by its checkpoint name (for example
 * {@code model.layers.3.self_attn.q_proj}). A site computes its frozen map; where an overlay is attached, the overlay
 * computes instead and may ask the site for the frozen map.
 */
public sealed interface Site permits Linear, Embedding {

    String name();

    /** The part after the last dot, by which PEFT's {@code target_modules} usually names it. */
    default String leaf() {
        return name().substring(name().lastIndexOf('.') + 1);
    }

    /** Width of what goes in (for an embedding: number of rows). */
    long in();

    /** Width of what comes out. */
    long out();

    Parameter weight();

    /** Lets the frozen map compute again. */
    void detachOverlay();

    /**
     * Lets the frozen map compute for a while.
     *
     * @return puts the overlay back that is attached now, if there is one
     */
    Runnable setAside();
}
