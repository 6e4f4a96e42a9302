package io.lorica.serve.store;

import io.lorica.adapter.Fingerprint;
import java.nio.file.Path;
import java.util.Optional;

/** Where an adapter's files come from when it is loaded, which may be again and again. */
public interface AdapterSource {

    /** The weights it was trained on, where that is known before its files are here; other bases refuse it then. */
    Optional<Fingerprint> base();

    /** A folder that holds the files; brings and verifies them first where they come from elsewhere. */
    Path folder();

    /** A folder of this machine. */
    static AdapterSource of(Path folder) {
        return new AdapterSource() {
            @Override
            public Optional<Fingerprint> base() {
                return Optional.empty();
            }

            @Override
            public Path folder() {
                return folder;
            }
        };
    }
}
