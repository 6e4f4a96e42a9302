package io.lorica.adapter.loldu;

import io.lorica.tensor.DType;
import io.lorica.tensor.LargeStack;
import io.lorica.tensor.Scope;
import io.lorica.tensor.Tensors;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.T_TensorTensorTensor_T;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;

/**
 * {@code W = P L diag(d) U} with partial pivoting.
 *
 * @param pl {@code P L: [out, k]}, L unit lower trapezoidal
 * @param d {@code [k]} pivots; 1 where a pivot is too small to divide by and U keeps its row
 * @param u {@code [k, in]}, unit upper trapezoidal but for such rows
 */
record Ldu(Tensor pl, Tensor d, Tensor u) {
    /** Pivots below this share of the largest are not divided by. */
    private static final double SMALLEST = 1e-6;

    /**
     * @param w {@code [out, in]} float32
     * @return in the caller's innermost scope
     */
    static Ldu of(Tensor w) {
        try (Scope scope = Scope.open();
                T_TensorTensorTensor_T plu = LargeStack.call(() -> torch.linalg_lu(w))) {
            Tensor upper = plu.get2();
            Tensor diagonal = torch.diag(upper);
            Tensor size = diagonal.abs();
            Tensor bound = size.max().mul(new Scalar(SMALLEST));
            Tensor usable = size.gt(bound);
            Tensor ones = Tensors.ones(DType.F32, diagonal.size(0));
            Tensor d = torch.where(usable, diagonal, ones);
            return new Ldu(scope.keep(plu.get0().mm(plu.get1())), scope.keep(d), scope.keep(upper.div(d.unsqueeze(1))));
        }
    }
}
