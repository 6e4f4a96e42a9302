package io.lorica.server;

import io.lorica.tensor.LoricaException;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;

/**
 * Platform threads for what calls native code or reads files: tokenizers, templates, adapters. Such calls hold on to
 * their carrier, so a few of them on virtual threads would stop all connections.
 */
final class Workers implements AutoCloseable {
    private final ExecutorService threads = Executors.newFixedThreadPool(
            4, Thread.ofPlatform().name("lorica-worker-", 0).factory());

    <T> T run(Callable<T> work) throws InterruptedException {
        Future<T> result = threads.submit(work);
        try {
            return result.get();
        } catch (ExecutionException e) {
            if (e.getCause() instanceof RuntimeException known) {
                throw known;
            }
            throw new LoricaException.Internal("a worker failed: " + e.getCause(), e);
        }
    }

    @Override
    public void close() {
        threads.close();
    }
}
