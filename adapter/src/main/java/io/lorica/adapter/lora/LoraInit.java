package io.lorica.adapter.lora;

import io.lorica.adapter.lowrank.LowRank;
import io.lorica.adapter.lowrank.Start;
import io.lorica.model.Linear;
import io.lorica.tensor.DType;
import io.lorica.tensor.Grad;
import io.lorica.tensor.Scope;
import io.lorica.tensor.Seed;
import io.lorica.tensor.Tensors;
import org.bytedeco.pytorch.T_TensorTensor_T;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;

/** The starts that {@code init_lora_weights} chooses from. */
final class LoraInit {
    private LoraInit() {}

    static Start of(LoraConfig.Init init, Linear site, int r, Seed seed) {
        try (Scope _ = Scope.open();
                Grad _ = Grad.disabled()) {
            return switch (init) {
                case DEFAULT, EVA -> Start.lora(site, r, seed);
                case FILE -> Start.zeros(site, r);
                case RANDOM ->
                    Start.of(
                            LowRank.kaiming(seed.of("A"), r, site.in()),
                            LowRank.kaiming(seed.of("B"), site.out(), r),
                            false);
                case GAUSSIAN ->
                    Start.of(
                            LowRank.times(LowRank.normal(seed.of("A"), r, site.in()), 1.0 / r),
                            Tensors.zeros(DType.F32, site.out(), r),
                            false);
                case OLORA -> olora(site, r);
                case ORTHOGONAL -> orthogonal(site, r, seed);
            };
        }
    }

    /** {@code W = Q R}: B the first r columns of Q (orthonormal), A the first r rows of R (upper trapezoidal). */
    private static Start olora(Linear site, int r) {
        T_TensorTensor_T qr = torch.linalg_qr(Start.frozen(site));
        return Start.of(qr.get1().narrow(0, 0, r), qr.get0().narrow(1, 0, r), true);
    }

    /** From the odd and the even rows of an orthogonal {@code r x r} matrix: the row spaces are orthogonal. */
    private static Start orthogonal(Linear site, int r, Seed seed) {
        Tensor q = torch.linalg_qr(LowRank.normal(seed.of("Q"), r, r)).get0();
        Tensor odd = q.view(r / 2, 2, r).select(1, 0);
        Tensor even = q.view(r / 2, 2, r).select(1, 1);
        Tensor a = LowRank.normal(seed.of("A"), site.in(), r / 2).mm(odd).t();
        Tensor b = LowRank.normal(seed.of("B"), site.out(), r / 2).mm(even);
        return Start.of(LowRank.times(a, 0.1), LowRank.times(b, 0.1), false);
    }
}
