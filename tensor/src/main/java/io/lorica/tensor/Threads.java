package io.lorica.tensor;

import org.bytedeco.pytorch.global.torch;

/** How many threads one operator may use on the CPU. */
public final class Threads {
    private Threads() {}

    /**
     * Sets it for operators that the calling thread starts, and for the process's float32 matrix products. Results may differ in the last bits between numbers of threads; runs that must be
     * equal bit for bit use 1.
     *
     * @param count at least 1
     */
    public static void set(int count) {
        if (count < 1) {
            throw new LoricaException.BadInput(count + " threads were asked for; name 1 or more");
        }
        torch.set_num_threads(count);
        OpenBlas.threads(count);
    }

    public static int get() {
        return torch.get_num_threads();
    }
}
