package io.lorica.model;

/** Hears what happens while a model is obtained, to show it to a person. Called on the fetching thread. */
public interface FetchListener {

    /** Something worth a line: which source is tried, why one was passed over. */
    void note(String message);

    /**
     * A file grows.
     *
     * @param done bytes so far
     * @param total bytes in the end, or -1 where the source does not say
     */
    default void progress(String file, long done, long total) {}

    /** Hears nothing. */
    static FetchListener silent() {
        return _ -> {};
    }
}
