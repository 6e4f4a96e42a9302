package io.lorica.tensor.fused;

import io.lorica.tensor.Threads;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.locks.ReentrantLock;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;

/** Where kernels may be used, and how their rows are shared among threads. */
final class Kernels {
    private static final boolean VECTORS =
            ModuleLayer.boot().findModule("jdk.incubator.vector").isPresent();

    /** Work below this many elements is done before another thread would have woken up. */
    static final long ALONE = 1 << 15;

    private static final List<Worker> WORKERS = new ArrayList<>();
    private static final ReentrantLock WORKING = new ReentrantLock();

    private Kernels() {}

    /** Rows {@code from} to below {@code to}. */
    @FunctionalInterface
    interface Loop {
        void run(long from, long to);
    }

    /** The arithmetic of one row. */
    @FunctionalInterface
    interface RowKernel {
        /**
         * @param n elements that count; what follows up to a whole vector is zero and not written
         * @param x inputs, one array each; overwritten by the outputs. The last is spare, for a vector's sum
         */
        void run(int row, int n, float[][] x);
    }

    /** Whether the kernels can read these. */
    static boolean fit(Tensor... tensors) {
        if (!VECTORS) {
            return false;
        }
        for (Tensor tensor : tensors) {
            ScalarType type = tensor.scalar_type().intern();
            if (tensor.is_cuda() || (type != ScalarType.Float && type != ScalarType.BFloat16)) {
                return false;
            }
        }
        return true;
    }

    /**
     * Applies a kernel to the rows of contiguous tensors of one size.
     *
     * @param elements of each tensor; the last row may be shorter than {@code width}
     * @param outputs may be among the inputs
     */
    static void apply(long elements, int width, List<Rows> inputs, List<Rows> outputs, RowKernel kernel) {
        parallel((elements + width - 1) / width, width, (from, to) -> {
            float[][] x = new float[Math.max(inputs.size(), outputs.size()) + 1][Rows.padded(width)];
            for (long row = from; row < to; row++) {
                long at = row * width;
                int n = (int) Math.min(width, elements - at);
                for (int i = 0; i < inputs.size(); i++) {
                    inputs.get(i).read(at, n, x[i]);
                }
                call(kernel, (int) row, n, x);
                for (int i = 0; i < outputs.size(); i++) {
                    outputs.get(i).write(at, n, x[i]);
                }
            }
        });
    }

    /**
     * Calls a kernel from the one place where all are called. The compiler cannot inline what varies so much, and that is
     * wanted: inlined into a loop that reads and writes, vector code passes the compiler's size limit and its vectors
     * become objects.
     */
    static void call(RowKernel kernel, int row, int n, float[][] x) {
        kernel.run(row, n, x);
    }

    /** Runs {@code loop} over all rows, on as many threads as libtorch may use. */
    static void parallel(long rows, long width, Loop loop) {
        int parts = rows * width < ALONE ? 1 : (int) Math.min(rows, Threads.get());
        if (parts == 1 || !WORKING.tryLock()) { // another thread's kernel has the workers
            loop.run(0, rows);
            return;
        }
        try {
            while (WORKERS.size() < parts - 1) {
                WORKERS.add(new Worker());
            }
            for (int i = 1; i < parts; i++) {
                long from = rows * i / parts;
                long to = rows * (i + 1) / parts;
                WORKERS.get(i - 1).start(() -> loop.run(from, to));
            }
            loop.run(0, rows / parts);
        } finally {
            for (Worker worker : WORKERS.subList(0, parts - 1)) {
                worker.join();
            }
            WORKING.unlock();
        }
    }
}
