package io.lorica.adapter;

/**
 * An adapter whose first components stand alone, so that it can be used at several ranks; an {@link Adapter} offers it
 * where its {@link Shared} part implements it. Changing the rank changes no tensor. What is merged or saved is the
 * adapter at the rank in use.
 */
public interface NestedRanks {

    int smallest();

    int largest();

    /** The rank in use outside training; the largest unless chosen otherwise. */
    int rank();

    /**
     * Uses the first {@code rank} components from now on. Take a merge back first: it holds the old rank's update.
     *
     * @throws io.lorica.tensor.LoricaException.BadInput outside {@link #smallest} to {@link #largest}
     */
    void use(int rank);
}
