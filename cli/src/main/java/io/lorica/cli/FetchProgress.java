package io.lorica.cli;

import io.lorica.model.FetchListener;
import org.jspecify.annotations.Nullable;

/** Shows what is fetched while a model is obtained. */
final class FetchProgress implements FetchListener, AutoCloseable {
    private static final long MEGABYTE = 1_000_000;

    private final Console console;
    private @Nullable String file;
    private @Nullable Progress progress;

    FetchProgress(Console console) {
        this.console = console;
    }

    @Override
    public void note(String message) {
        close();
        console.note(message);
    }

    @Override
    public void progress(String name, long done, long total) {
        if (total < MEGABYTE) {
            return; // over before a bar could be read
        }
        if (!name.equals(file)) {
            close();
            file = name;
            progress = new Progress(console, name, total, "MB", MEGABYTE);
        }
        if (progress != null) {
            progress.at(done, "");
        }
    }

    @Override
    public void close() {
        if (progress != null) {
            progress.close();
        }
        progress = null;
        file = null;
    }
}
