package io.lorica.tensor;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import org.bytedeco.pytorch.T_TensorTensorTensor_T;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.junit.jupiter.api.Test;

class LargeStackTest {

    /** On a thread with Java's usual stack this kills the process where OpenBLAS has two threads or more. */
    @Test
    void call_luOfALargeMatrix_isItsProduct() {
        try (Scope _ = Scope.open();
                Grad _ = Grad.disabled()) {
            Tensor w = Tensors.empty(DType.F32, 1024, 512).normal_(0, 1, new Seed(1).generator());
            try (T_TensorTensorTensor_T plu = LargeStack.call(() -> torch.linalg_lu(w))) {
                Tensor product = plu.get0().mm(plu.get1()).mm(plu.get2());
                assertThat(Tensors.maxDifference(product, w)).isLessThan(1e-3);
            }
        }
    }

    @Test
    void call_workThatFails_failsTheSameWay() {
        assertThatThrownBy(() -> LargeStack.call(() -> {
                    throw new LoricaException.BadInput("no such matrix");
                }))
                .isInstanceOf(LoricaException.BadInput.class)
                .hasMessage("no such matrix");
    }
}
