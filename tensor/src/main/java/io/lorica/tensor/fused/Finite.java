package io.lorica.tensor.fused;

import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorOperators;
import org.bytedeco.pytorch.Tensor;

/** Whether numbers are numbers, in one pass that keeps nothing. */
public final class Finite {
    private static final int CHUNK = 1024;

    private Finite() {}

    /** Whether no element is infinite or no number. */
    public static boolean all(Tensor x) {
        if (!Kernels.fit(x) || !x.is_contiguous()) {
            return x.isfinite().all().item_bool();
        }
        Rows rows = new Rows(x);
        float[][] buffers = {Rows.scratch(CHUNK), new float[1]};
        long count = x.numel();
        for (long at = 0; at < count; at += CHUNK) {
            int n = (int) Math.min(CHUNK, count - at);
            rows.read(at, n, buffers[0]);
            Kernels.call(Finite::sum, 0, n, buffers);
            if (buffers[1][0] != 0) {
                return false;
            }
        }
        return true;
    }

    /** {@code 0 x} summed: 0 unless some element is infinite or no number, and then not 0. */
    private static void sum(int row, int n, float[][] x) {
        FloatVector sum = Lanes.broadcast(0);
        for (int i = 0; i < Rows.padded(n); i += Rows.LANES) {
            sum = FloatVector.fromArray(Rows.FLOATS, x[0], i).mul(0).add(sum);
        }
        x[1][0] = sum.reduceLanes(VectorOperators.ADD);
    }
}
