package io.lorica.tensor.fused;

import io.lorica.tensor.Scope;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorVector;
import org.bytedeco.pytorch.global.torch;

/**
 * Rows of equal width that lie in blocks here and there in a larger tensor: row {@code i} is row {@code i % blockRows} of
 * block {@code i / blockRows}.
 *
 * @param memory what the blocks lie in
 * @param starts first element of each block; those behind the last filled one may be anything
 * @param blockRows rows of a block, one after another
 * @param width elements of a row
 */
public record BlockedRows(Elements memory, long[] starts, int blockRows, int width) {

    /** The element at which a row begins. */
    public long at(int row) {
        return starts[row / blockRows] + (long) (row % blockRows) * width;
    }

    /** How many rows from this one on lie in the same block. */
    public int run(int row) {
        return blockRows - row % blockRows;
    }

    /** Puts {@code rows: [n, width]} in place of those from {@code first} on. */
    public void write(int first, Tensor rows) {
        int count = (int) rows.size(0);
        if (count == 0) {
            return;
        }
        if (count <= run(first)) {
            memory.write(at(first), rows);
            return;
        }
        try (Scope _ = Scope.open()) {
            for (int done = 0; done < count; ) {
                int n = Math.min(count - done, run(first + done));
                memory.write(at(first + done), rows.narrow(0, done, n));
                done += n;
            }
        }
    }

    /** The first {@code count} rows as {@code [count, width]}: a view where one block has them all, else a copy. */
    public Tensor gather(int count) {
        if (count <= blockRows) {
            return memory.view(starts[0], count, width);
        }
        try (Scope scope = Scope.open()) {
            TensorVector blocks = new TensorVector();
            for (int row = 0; row < count; row += blockRows) {
                blocks.push_back(memory.view(at(row), Math.min(blockRows, count - row), width));
            }
            return scope.keep(torch.cat(blocks, 0));
        }
    }
}
