package io.lorica.adapter.lora;

import io.lorica.model.Linear;
import io.lorica.tensor.DType;
import io.lorica.tensor.Grad;
import io.lorica.tensor.Scope;
import io.lorica.tensor.Seed;
import io.lorica.tensor.Tensors;
import org.bytedeco.pytorch.GeneratorOptional;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.T_TensorTensor_T;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;

/**
 * Initial values of the factors of a linear site.
 *
 * @param a {@code [r, in]} float32, owned by the caller
 * @param b {@code [out, r]} float32, owned by the caller
 */
record LoraInit(Tensor a, Tensor b) {

    static LoraInit of(LoraConfig.Init init, Linear site, int r, Seed seed) {
        try (Scope _ = Scope.open();
                Grad _ = Grad.disabled()) {
            return switch (init) {
                case DEFAULT, EVA ->
                    release(kaiming(seed.of("A"), r, site.in()), Tensors.zeros(DType.F32, site.out(), r));
                case RANDOM -> release(kaiming(seed.of("A"), r, site.in()), kaiming(seed.of("B"), site.out(), r));
                case GAUSSIAN ->
                    release(
                            scaled(normal(seed.of("A"), r, site.in()), 1.0 / r),
                            Tensors.zeros(DType.F32, site.out(), r));
                case OLORA -> olora(site, r);
                case ORTHOGONAL -> orthogonal(site, r, seed);
            };
        }
    }

    private static LoraInit release(Tensor a, Tensor b) {
        return new LoraInit(Scope.release(a.contiguous()), Scope.release(b.contiguous()));
    }

    /** Uniform within {@code 1 / sqrt(fan_in)}: Kaiming's rule with {@code a = sqrt 5}. */
    private static Tensor kaiming(Seed seed, long rows, long columns) {
        double bound = 1 / Math.sqrt((double) columns);
        try (GeneratorOptional generator = seed.generator()) {
            return Tensors.empty(DType.F32, rows, columns).uniform_(-bound, bound, generator);
        }
    }

    static Tensor normal(Seed seed, long rows, long columns) {
        try (GeneratorOptional generator = seed.generator()) {
            return Tensors.empty(DType.F32, rows, columns).normal_(0, 1, generator);
        }
    }

    private static Tensor scaled(Tensor tensor, double factor) {
        try (Scalar scalar = new Scalar(factor)) {
            return tensor.mul_(scalar);
        }
    }

    /** {@code W = Q R}: B the first r columns of Q (orthonormal), A the first r rows of R (upper trapezoidal). */
    private static LoraInit olora(Linear site, int r) {
        Tensor weight =
                site.fanInFanOut() ? site.weight().frozen().t() : site.weight().frozen();
        T_TensorTensor_T qr = torch.linalg_qr(Tensors.to(weight, DType.F32));
        return release(
                qr.get1().narrow(0, 0, r).clone(), qr.get0().narrow(1, 0, r).clone());
    }

    /** From the odd and the even rows of an orthogonal {@code r x r} matrix: the row spaces are orthogonal. */
    private static LoraInit orthogonal(Linear site, int r, Seed seed) {
        Tensor q = torch.linalg_qr(normal(seed.of("Q"), r, r)).get0();
        Tensor odd = q.view(r / 2, 2, r).select(1, 0);
        Tensor even = q.view(r / 2, 2, r).select(1, 1);
        Tensor a = normal(seed.of("A"), site.in(), r / 2).mm(odd).t();
        Tensor b = normal(seed.of("B"), site.out(), r / 2).mm(even);
        return release(scaled(a.contiguous(), 0.1), scaled(b, 0.1));
    }
}
