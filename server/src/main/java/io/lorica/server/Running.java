package io.lorica.server;

import io.helidon.http.HttpException;
import io.helidon.http.Status;
import java.time.Duration;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import org.jspecify.annotations.Nullable;

/** The requests being answered, and the end of a server: it waits for them, and takes no new ones. */
final class Running {
    private static final Duration LOOK = Duration.ofMillis(20);
    private static final Duration AFTER_CANCEL = Duration.ofSeconds(5);

    private final Set<Entry> entries = ConcurrentHashMap.newKeySet();
    private volatile boolean draining;

    /** One request, until it is closed. */
    final class Entry implements AutoCloseable {
        private volatile @Nullable Answers answers;

        void holds(Answers started) {
            answers = started;
        }

        private void cancel() {
            Answers started = answers;
            if (started != null) {
                started.close();
            }
        }

        @Override
        public void close() {
            entries.remove(this);
        }
    }

    /** @throws HttpException when the server is shutting down */
    Entry enter() {
        Entry entry = new Entry();
        entries.add(entry);
        if (draining) {
            entry.close();
            throw new HttpException(
                    "the server is shutting down; send the request to another one or try again later",
                    Status.SERVICE_UNAVAILABLE_503,
                    false);
        }
        return entry;
    }

    boolean draining() {
        return draining;
    }

    /** From now on nothing new; returns when what runs has ended, or was cancelled because it took longer. */
    void drain(Duration time) {
        draining = true;
        if (!await(time)) {
            entries.forEach(Entry::cancel);
            await(AFTER_CANCEL);
        }
    }

    private boolean await(Duration time) {
        long deadline = System.nanoTime() + time.toNanos();
        while (!entries.isEmpty() && System.nanoTime() < deadline) {
            try {
                Thread.sleep(LOOK);
            } catch (InterruptedException _) {
                Thread.currentThread().interrupt();
                return false;
            }
        }
        return entries.isEmpty();
    }
}
