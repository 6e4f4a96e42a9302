package io.lorica.model;

import java.nio.file.Path;
import java.util.Optional;

/** One place that one model may come from, with its own corner of the cache. */
interface ModelSource {

    /** For messages: {@code the hub (owner/name)}. */
    String label();

    /** The model where it lies complete in the cache: a Hugging Face directory or a GGUF file. Asks no network. */
    Optional<Path> cached();

    /**
     * Brings the model into the cache. What is there afterwards is complete and checked, or not there.
     *
     * @throws io.lorica.tensor.LoricaException if this source cannot give it, with the reason
     */
    Path fetch(FetchListener listener);
}
