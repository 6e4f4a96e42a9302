package io.lorica.tensor;

import java.util.Objects;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * Work for which a Java thread's stack of 1 MiB is too small. OpenBLAS keeps tables for as many threads as it was built for
 * in every frame of its parallel LU decomposition, which calls itself: 1 MiB does not do for a matrix of 256 x 256, and the
 * process dies without a word. {@code linalg_lu}, {@code linalg_inv}, {@code linalg_solve} and {@code det} rest on it.
 */
public final class LargeStack {
    /** Reserved, not used: the system gives memory to the pages that are touched. */
    private static final long BYTES = 64L << 20;

    private LargeStack() {}

    /** Runs {@code work} on a thread of its own, without gradients; the caller owns what it returns, no scope does. */
    public static <T> T call(Supplier<T> work) {
        Outcome<T> outcome = new Outcome<>();
        Thread thread =
                Thread.ofPlatform().stackSize(BYTES).name("lorica-large-stack").start(() -> outcome.of(work));
        try {
            thread.join();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new LoricaException.Internal("interrupted while a matrix was being decomposed", e);
        }
        return outcome.get();
    }

    private static final class Outcome<T> {
        private @Nullable T value;
        private @Nullable Throwable failure;

        void of(Supplier<T> work) {
            try (Grad _ = Grad.disabled()) {
                value = work.get();
            } catch (RuntimeException | Error e) {
                failure = e;
            }
        }

        T get() {
            if (failure instanceof Error error) {
                throw error;
            }
            if (failure instanceof RuntimeException exception) {
                throw exception;
            }
            return Objects.requireNonNull(value);
        }
    }
}
