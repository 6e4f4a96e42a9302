package io.lorica.adapter.mtsk;

/** Which factors a scale uses. */
enum Strategy {
    /** Multi-scale: one pair for all scales. */
    MS,
    /** Scale-specific: one pair for each scale. */
    SS,
    /** Both, added. */
    MSS;

    boolean shared() {
        return this != SS;
    }

    boolean specific() {
        return this != MS;
    }
}
