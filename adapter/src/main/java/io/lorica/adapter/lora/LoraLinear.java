package io.lorica.adapter.lora;

import io.lorica.adapter.SiteAdapter;
import io.lorica.model.Linear;
import io.lorica.model.Pass;
import io.lorica.model.Site;
import io.lorica.tensor.DType;
import io.lorica.tensor.Grad;
import io.lorica.tensor.Scope;
import io.lorica.tensor.Seed;
import io.lorica.tensor.Tensors;
import java.util.LinkedHashMap;
import java.util.Objects;
import java.util.Optional;
import java.util.SequencedMap;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorVector;
import org.bytedeco.pytorch.global.torch;
import org.jspecify.annotations.Nullable;

/**
 * LoRA on a linear site: {@code y = W x + b + s B A dropout(x)}.
 *
 * <p>{@code A: [r, in]}, {@code B: [out, r]} are float32 masters. The branch computes in the dtype of the base (PEFT
 * computes it in float32, at two to three times the cost of a bfloat16 step); gradients flow through the casts into
 * float32. The scaling is folded into the smaller operand.
 *
 * <p>Where the method starts from the weights (OLoRA), the frozen factors {@code A0}, {@code B0} of the start are taken
 * off again: {@code y = W x + b + s (B A - B0 A0) x}. The same as training on the residual {@code W - s B0 A0}, but the
 * base stays as it is, so that adapters can be stacked and switched.
 */
final class LoraLinear implements SiteAdapter {
    private static final String A = "lora_A.weight";
    private static final String B = "lora_B.weight";
    private static final String B_BIAS = "lora_B.bias";
    private static final String A_START = "lora_A.start";
    private static final String B_START = "lora_B.start";

    private final Linear site;
    private final double scaling;
    private final double dropout;
    private final SequencedMap<String, Tensor> tensors = new LinkedHashMap<>();
    private final Tensor a;
    private final Tensor b;
    private final @Nullable Tensor bias;
    private final @Nullable Tensor startA;
    private final @Nullable Tensor startB;
    private final @Nullable Magnitude magnitude;

    private LoraLinear(Linear site, LoraConfig config, LoraInit init, boolean bias, boolean residual) {
        this.site = site;
        this.scaling = config.scaling(site.name());
        this.dropout = config.dropout();
        this.a = own(A, init.a());
        this.b = own(B, init.b());
        try (Scope _ = Scope.open();
                Grad _ = Grad.disabled()) {
            this.bias = bias ? own(B_BIAS, Scope.release(Tensors.zeros(DType.F32, site.out()))) : null;
            this.startA = residual ? own(A_START, Scope.release(a.clone())) : null;
            this.startB = residual ? own(B_START, Scope.release(b.clone())) : null;
            this.magnitude = config.dora() ? Magnitude.of(site, this) : null;
        }
        if (magnitude != null) {
            tensors.put(Magnitude.KEY, magnitude.vector());
        }
    }

    static LoraLinear fresh(Linear site, LoraConfig config, Seed seed) {
        LoraInit init = LoraInit.of(config.init(), site, config.rank(site.name()), seed);
        return new LoraLinear(site, config, init, config.bias(), config.init() == LoraConfig.Init.OLORA);
    }

    private Tensor own(String suffix, Tensor tensor) {
        tensors.put(suffix, tensor);
        return tensor;
    }

    @Override
    public Site site() {
        return site;
    }

    @Override
    public SequencedMap<String, Tensor> tensors() {
        return tensors;
    }

    @Override
    public boolean trainable(String suffix) {
        return !suffix.endsWith(".start");
    }

    @Override
    public SequencedMap<String, Tensor> saved() {
        if (startA == null) {
            return tensors;
        }
        SequencedMap<String, Tensor> saved = new LinkedHashMap<>(tensors);
        saved.remove(A_START);
        saved.remove(B_START);
        saved.put(A, wideA());
        saved.put(B, wideB());
        return saved;
    }

    double scaling() {
        return scaling;
    }

    /** {@code [A; A0]}, or A alone. */
    Tensor wideA() {
        return startA == null ? a : torch.cat(new TensorVector(a, startA), 0);
    }

    /** {@code [B, -B0]}, or B alone. */
    Tensor wideB() {
        return startB == null ? b : torch.cat(new TensorVector(b, startB.neg()), 1);
    }

    @Override
    public Tensor apply(Tensor input, Tensor base, Tensor result, double weight, Pass pass) {
        Tensor x = pass.dropout(input, dropout, site.name());
        DType type = DType.of(base);
        if (magnitude != null) {
            boolean dropped = pass.training() && dropout > 0;
            return magnitude.apply(x, base, result, weight, dropped);
        }
        Tensor hidden = Tensors.to(x, type).matmul(Tensors.to(wideA(), type).t());
        double factor = scaling * weight;
        boolean smallHidden = hidden.numel() < b.numel();
        Tensor h = smallHidden ? times(hidden, factor) : hidden;
        Tensor up = Tensors.to(smallHidden ? wideB() : times(wideB(), factor), type);
        Tensor sum = result.dim() == 2 ? result.addmm(h, up.t()) : result.add(h.matmul(up.t()));
        return bias == null ? sum : sum.add(Tensors.to(times(bias, factor), type));
    }

    static Tensor times(Tensor tensor, double factor) {
        if (factor == 1) {
            return tensor;
        }
        try (Scalar scalar = new Scalar(factor)) {
            return tensor.mul(scalar);
        }
    }

    /** {@code s B A}, {@code [out, in]}. */
    Tensor product() {
        return times(wideB(), scaling).mm(wideA());
    }

    @Override
    public Tensor change(Tensor matrix) {
        try (Scope scope = Scope.open();
                Grad _ = Grad.disabled()) {
            return scope.keep(magnitude == null ? product() : magnitude.change(matrix));
        }
    }

    @Override
    public Optional<Tensor> biasChange() {
        return bias == null
                ? Optional.empty()
                : Optional.of(times(Objects.requireNonNull(bias).detach(), scaling));
    }
}
