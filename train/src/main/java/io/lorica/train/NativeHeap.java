package io.lorica.train;

import io.lorica.tensor.LoricaException;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SegmentAllocator;
import java.lang.foreign.StructLayout;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;
import java.util.concurrent.locks.LockSupport;

/**
 * What glibc's allocator, from which libtorch takes its tensors, has handed out, to the byte ({@code mallinfo2(3)}).
 *
 * @param taken bytes taken from the system, in use or kept for later
 * @param inUse bytes handed out and not yet freed
 */
record NativeHeap(long taken, long inUse) {
    private static final int ARENA = 0;
    private static final int HBLKHD = 4;
    private static final int UORDBLKS = 7;

    /** Linked on first use. */
    @SuppressWarnings("restricted") // the signatures are those of mallinfo2(3) and malloc_trim(3)
    private static final class Glibc {
        private static final StructLayout MALLINFO2 =
                MemoryLayout.structLayout(MemoryLayout.sequenceLayout(10, ValueLayout.JAVA_LONG));
        private static final Optional<MethodHandle> HANDLE = Linker.nativeLinker()
                .defaultLookup()
                .find("mallinfo2")
                .map(symbol -> Linker.nativeLinker().downcallHandle(symbol, FunctionDescriptor.of(MALLINFO2)));
        private static final Optional<MethodHandle> TRIM = Linker.nativeLinker()
                .defaultLookup()
                .find("malloc_trim")
                .map(symbol -> Linker.nativeLinker()
                        .downcallHandle(symbol, FunctionDescriptor.of(ValueLayout.JAVA_INT, ValueLayout.JAVA_LONG)));
    }

    /** Bytes in use, 0 where the system's C library does not tell; for marks that only a plan reads. */
    static long mark() {
        return Glibc.HANDLE.isPresent() ? now().inUse() : 0;
    }

    /** @throws LoricaException.Unsupported where the system's C library does not tell */
    static NativeHeap now() {
        MethodHandle mallinfo2 = Glibc.HANDLE.orElseThrow(
                () -> new LoricaException.Unsupported("a memory plan needs glibc 2.33 or newer, which tells what is"
                        + " allocated; leave out --dry-run and --memory here"));
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment info = (MemorySegment) mallinfo2.invokeExact((SegmentAllocator) arena);
            long mapped = info.getAtIndex(ValueLayout.JAVA_LONG, HBLKHD);
            return new NativeHeap(
                    info.getAtIndex(ValueLayout.JAVA_LONG, ARENA) + mapped,
                    info.getAtIndex(ValueLayout.JAVA_LONG, UORDBLKS) + mapped);
        } catch (Throwable e) {
            throw new LoricaException.Internal("mallinfo2 cannot be called: " + e, e);
        }
    }

    /** Gives what is free back to the system, so that the next measurement starts from a tight heap. */
    static void trim() {
        Glibc.TRIM.ifPresent(trim -> {
            try {
                int _ = (int) trim.invokeExact(0L);
            } catch (Throwable e) {
                throw new LoricaException.Internal("malloc_trim cannot be called: " + e, e);
            }
        });
    }

    /**
     * Resident bytes of files mapped into this process whose path starts with {@code file}: the file, what lies below
     * it, and the converted copy that the model store keeps beside it.
     */
    static long mapped(Path file) {
        try {
            String real = file.toRealPath().toString();
            long bytes = 0;
            boolean inside = false;
            for (String line : Files.readAllLines(Path.of("/proc/self/smaps"))) {
                int slash = line.indexOf('/');
                if (line.startsWith("Rss:")) {
                    bytes += inside ? 1024 * Long.parseLong(line.replaceAll("\\D", "")) : 0;
                } else if (!line.startsWith("Vm") && Character.digit(line.charAt(0), 16) >= 0 && line.contains("-")) {
                    inside = slash >= 0 && line.startsWith(real, slash);
                }
            }
            return bytes;
        } catch (IOException e) {
            throw new LoricaException.Internal("cannot read what is mapped from " + file + ": " + e.getMessage(), e);
        }
    }

    /** The most bytes in use while {@code work} runs, over those before it. Sampled, so short spikes may be missed. */
    static long peak(Runnable work) {
        long before = now().inUse();
        Watch watch = new Watch(before);
        Thread thread = Thread.ofPlatform().daemon().name("memory-watch").start(watch);
        try {
            work.run();
        } finally {
            watch.done = true;
            try {
                thread.join();
            } catch (InterruptedException _) {
                Thread.currentThread().interrupt();
            }
        }
        return watch.highest - before;
    }

    private static final class Watch implements Runnable {
        private volatile boolean done;
        private volatile long highest;

        Watch(long start) {
            highest = start;
        }

        @Override
        public void run() {
            while (!done) {
                highest = Math.max(highest, now().inUse());
                LockSupport.parkNanos(200_000);
            }
        }
    }
}
