package io.lorica.tensor;

/** Sizes of shapes that come from files and may be absurd. */
final class Shapes {
    private Shapes() {}

    /** Product of the sizes, or -1 when one is negative or it leaves 63 bits. */
    static long count(long[] shape) {
        long count = 1;
        boolean empty = false;
        for (long size : shape) {
            if (size < 0) {
                return -1;
            }
            empty |= size == 0;
            // libtorch computes strides of empty tensors too, so their other sizes must not overflow either
            long factor = Math.max(size, 1);
            if (Math.multiplyHigh(count, factor) != 0 || count * factor < 0) {
                return -1;
            }
            count *= factor;
        }
        return empty ? 0 : count;
    }

    /** Bytes of a shape stored in blocks, or -1 as {@link #count} or when the elements do not fill blocks. */
    static long bytes(long[] shape, int blockElements, int blockBytes) {
        long count = count(shape);
        if (count < 0 || count % blockElements != 0 || Math.multiplyHigh(count / blockElements, blockBytes) != 0) {
            return -1;
        }
        return Math.max(count / blockElements * blockBytes, -1);
    }
}
