package io.lorica.adapter.lowrank;

import io.lorica.tensor.DType;
import io.lorica.tensor.Seed;
import io.lorica.tensor.Tensors;
import org.bytedeco.pytorch.GeneratorOptional;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;

/** Arithmetic of low-rank products, and the random values they start from. */
public final class LowRank {
    private LowRank() {}

    /**
     * Adds {@code factor * B A x} to a result. Computes in the dtype of {@code result} (PEFT computes the branch in
     * float32, at two to three times the cost of a bfloat16 step); gradients flow through the casts. The factor is
     * folded into the smaller operand.
     *
     * @param x {@code [..., in]}
     * @param a {@code [r, in]} float32
     * @param b {@code [out, r]} float32
     * @param result {@code [..., out]}
     */
    public static Tensor add(Tensor result, Tensor x, Tensor a, Tensor b, double factor) {
        DType type = DType.of(result);
        Tensor hidden = Tensors.to(x, type).matmul(Tensors.to(a, type).t());
        boolean smallHidden = hidden.numel() < b.numel();
        Tensor h = smallHidden ? times(hidden, factor) : hidden;
        Tensor up = Tensors.to(smallHidden ? b : times(b, factor), type).t();
        return result.dim() == 2 ? result.addmm(h, up) : result.add(h.matmul(up));
    }

    /**
     * {@code factor * B A x} alone, in the dtype of {@code x}.
     *
     * @param x {@code [n, in]}
     * @param a {@code [r, in]} float32
     * @param b {@code [out, r]} float32
     * @return {@code [n, out]}
     */
    public static Tensor product(Tensor x, Tensor a, Tensor b, double factor) {
        DType type = DType.of(x);
        Tensor hidden = times(x.mm(Tensors.to(a, type).t()), factor);
        return hidden.mm(Tensors.to(b, type).t());
    }

    /** {@code factor * tensor}; the tensor itself where the factor is 1. */
    public static Tensor times(Tensor tensor, double factor) {
        if (factor == 1) {
            return tensor;
        }
        try (Scalar scalar = new Scalar(factor)) {
            return tensor.mul(scalar);
        }
    }

    /** Uniform within {@code 1 / sqrt(columns)}: Kaiming's rule with {@code a = sqrt 5}, PEFT's start of A. */
    public static Tensor kaiming(Seed seed, long rows, long columns) {
        double bound = 1 / Math.sqrt((double) columns);
        try (GeneratorOptional generator = seed.generator()) {
            return Tensors.empty(DType.F32, rows, columns).uniform_(-bound, bound, generator);
        }
    }

    /** Standard normal numbers. */
    public static Tensor normal(Seed seed, long rows, long columns) {
        try (GeneratorOptional generator = seed.generator()) {
            return Tensors.empty(DType.F32, rows, columns).normal_(0, 1, generator);
        }
    }
}
