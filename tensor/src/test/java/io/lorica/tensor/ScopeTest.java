package io.lorica.tensor;

import static org.assertj.core.api.Assertions.assertThat;

import org.bytedeco.pytorch.Tensor;
import org.junit.jupiter.api.Test;

class ScopeTest {

    @Test
    void keep_nestedScopes_survivesTheInnerAndIsFreedWithTheOuter() {
        Tensor kept;
        try (Scope _ = Scope.open()) {
            try (Scope inner = Scope.open()) {
                kept = inner.keep(Tensors.of(new float[] {1, 2, 3}, 3).add(Tensors.ones(DType.F32, 3)));
            }
            assertThat(Tensors.floats(kept)).containsExactly(2, 3, 4);
        }
        assertThat(kept.isNull()).isTrue();
    }

    @Test
    void keep_withoutOuterScope_belongsToTheCaller() {
        Tensor kept;
        try (Scope scope = Scope.open()) {
            kept = scope.keep(Tensors.of(new float[] {5}, 1));
        }
        assertThat(Tensors.floats(kept)).containsExactly(5);
        kept.close();
        assertThat(kept.isNull()).isTrue();
    }

    @Test
    void keep_tensorOfAnOuterScope_leavesItAlive() {
        try (Scope _ = Scope.open()) {
            Tensor outer = Tensors.of(new float[] {7}, 1);
            Tensor kept;
            try (Scope inner = Scope.open()) {
                kept = inner.keep(outer);
            }
            assertThat(Tensors.floats(outer)).containsExactly(7);
            assertThat(Tensors.floats(kept)).containsExactly(7);
        }
    }

    @Test
    void gradDisabled_inside_recordsNothing() {
        try (Scope _ = Scope.open()) {
            Tensor x = Tensors.of(new float[] {2}, 1).set_requires_grad(true);
            try (Grad _ = Grad.disabled()) {
                assertThat(x.mul(x).requires_grad()).isFalse();
            }
            assertThat(x.mul(x).requires_grad()).isTrue();
        }
    }
}
