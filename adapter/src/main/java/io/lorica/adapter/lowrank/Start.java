package io.lorica.adapter.lowrank;

import io.lorica.model.Linear;
import io.lorica.tensor.DType;
import io.lorica.tensor.Grad;
import io.lorica.tensor.Scope;
import io.lorica.tensor.Seed;
import io.lorica.tensor.Tensors;
import org.bytedeco.pytorch.Tensor;

/**
 * Initial values of the factors of a linear site.
 *
 * @param a {@code [r, in]} float32, owned by whoever takes the start
 * @param b {@code [out, r]} float32, owned likewise
 * @param residual whether {@code s B A} at the start is taken off the frozen weight, so that the adapted model still
 *     begins where the base is; needed where {@code B A} is not zero
 */
public record Start(Tensor a, Tensor b, boolean residual) {

    /** A Kaiming-uniform, B zero: LoRA's start. */
    public static Start lora(Linear site, int r, Seed seed) {
        try (Scope _ = Scope.open();
                Grad _ = Grad.disabled()) {
            return of(LowRank.kaiming(seed.of("A"), r, site.in()), Tensors.zeros(DType.F32, site.out(), r), false);
        }
    }

    /** Zeros, for factors that a file fills. */
    public static Start zeros(Linear site, int r) {
        try (Scope _ = Scope.open()) {
            return new Start(
                    Scope.release(Tensors.zeros(DType.F32, r, site.in())),
                    Scope.release(Tensors.zeros(DType.F32, site.out(), r)),
                    false);
        }
    }

    /** Copies what the caller's scope owns. */
    public static Start of(Tensor a, Tensor b, boolean residual) {
        return new Start(copy(a), copy(b), residual);
    }

    private static Tensor copy(Tensor tensor) {
        return Scope.release(Tensors.to(tensor.detach(), DType.F32).contiguous().clone());
    }

    /** The frozen weight of a site as {@code [out, in]} float32, in the caller's scope. */
    public static Tensor frozen(Linear site) {
        Tensor weight = site.weight().frozen();
        return Tensors.to(site.fanInFanOut() ? weight.t() : weight, DType.F32);
    }
}
