package io.lorica.tensor;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.List;
import java.util.Set;
import org.assertj.core.data.Offset;
import org.bytedeco.javacpp.Pointer;
import org.bytedeco.pytorch.Tensor;
import org.junit.jupiter.api.Test;

class CustomGradientTest {

    /** {@code x W}, with the textbook's gradients. */
    private static Tensor product(Tensor x, Tensor w) {
        Tensor value;
        try (Grad _ = Grad.disabled()) {
            value = x.mm(w);
        }
        return CustomGradient.attach(
                value,
                List.of(x, w),
                List.of(x, w),
                (dy, saved, needed) -> List.of(
                        needed.get(0) ? dy.mm(saved.get(1).t()) : dy,
                        saved.get(0).t().mm(dy)));
    }

    private static Tensor random(long seed, boolean trained, long... shape) {
        Tensor tensor = Tensors.empty(DType.F32, shape).normal_(0, 1, new Seed(seed).generator());
        return tensor.requires_grad_(trained);
    }

    private static float[] gradient(Tensor tensor) {
        return Tensors.floats(tensor.grad());
    }

    @Test
    void backward_throughOtherOperations_equalsLibtorch() {
        try (Scope _ = Scope.open()) {
            Tensor x = random(1, true, 4, 3);
            Tensor w = random(2, true, 3, 5);
            Tensor doubled = x.mul(x);
            doubled.mm(w).sin().sum().backward();
            float[] dx = gradient(x);
            float[] dw = gradient(w);
            x.mutable_grad().zero_();
            w.mutable_grad().zero_();
            product(x.mul(x), w).sin().sum().backward();
            assertThat(gradient(x)).isEqualTo(dx);
            assertThat(gradient(w)).isEqualTo(dw);
        }
    }

    @Test
    void backward_usedTwiceInOneGraph_addsUp() {
        try (Scope _ = Scope.open()) {
            Tensor x = random(1, true, 2, 2);
            Tensor w = random(2, true, 2, 2);
            x.mm(w).mm(w).sum().backward();
            float[] dw = gradient(w);
            w.mutable_grad().zero_();
            product(product(x, w), w).sum().backward();
            assertThat(gradient(w)).containsExactly(dw, Offset.offset(1e-5f));
        }
    }

    @Test
    void backward_inputWithoutGradient_isLeftOut() {
        try (Scope _ = Scope.open()) {
            Tensor x = random(1, false, 2, 2);
            Tensor w = random(2, true, 2, 2);
            product(x, w).sum().backward();
            assertThat(x.grad().defined()).isFalse();
            assertThat(w.grad().defined()).isTrue();
        }
    }

    @Test
    void attach_recordingOff_leavesNoHistoryAndNoGuest() {
        try (Scope _ = Scope.open();
                Grad _ = Grad.disabled()) {
            assertThat(product(random(1, true, 2, 2), random(2, true, 2, 2)).requires_grad())
                    .isFalse();
            assertThat(Scope.guests()).isEmpty();
        }
    }

    @Test
    void backward_done_keepsNothing() {
        try (Scope _ = Scope.open()) {
            Tensor y = product(random(1, true, 2, 2), random(2, true, 2, 2));
            assertThat(Scope.guests()).hasSize(1);
            y.sum().backward();
            assertThat(Scope.guests()).isEmpty();
        }
    }

    @Test
    void backward_neverRun_isFreedWithTheOutermostScope() {
        Set<AutoCloseable> guests;
        try (Scope _ = Scope.open()) {
            try (Scope _ = Scope.open()) {
                product(random(1, true, 2, 2), random(2, true, 2, 2));
            }
            guests = Scope.guests();
            assertThat(guests).hasSize(1);
        }
        assertThat(guests).isEmpty();
        assertThatThrownBy(Scope::guests).isInstanceOf(LoricaException.Internal.class);
    }

    @Test
    void backward_thatFails_saysWhy() {
        try (Scope _ = Scope.open()) {
            Tensor x = random(1, true, 2, 2);
            Tensor y = CustomGradient.attach(Tensors.zeros(DType.F32, 2, 2), List.of(x), List.of(), (dy, s, n) -> {
                throw new IllegalStateException("no gradient today");
            });
            assertThatThrownBy(() -> y.sum().backward()).hasMessageContaining("no gradient today");
        }
    }

    @Test
    void backward_manyTimes_keepsMemoryFlat() {
        try (Scope _ = Scope.open()) {
            Tensor w = random(2, true, 64, 64);
            long before = 0;
            for (int i = 0; i < 3000; i++) {
                if (i == 1000) {
                    before = Pointer.physicalBytes();
                }
                try (Scope _ = Scope.open()) {
                    product(random(i, false, 64, 64), w).sum().backward();
                }
            }
            assertThat(Pointer.physicalBytes() - before).isLessThan(16L << 20); // 32 MB if x leaked
        }
    }
}
