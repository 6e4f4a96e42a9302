package io.lorica.model;

import io.lorica.tensor.fused.FewRowsOp;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorOptional;
import org.bytedeco.pytorch.global.torch;
import org.jspecify.annotations.Nullable;

/**
 * A frozen linear map {@code y = x W^T + b}.
 *
 * <p>{@code x: [..., in]}, {@code W: [out, in]} ({@code [in, out]} where {@link #fanInFanOut()}, as GPT-2's Conv1D stores
 * it), {@code b: [out]}, {@code y: [..., out]}.
 */
public final class Linear implements Site {

    /** What an adapter puts in the place of the frozen map. */
    @FunctionalInterface
    public interface Overlay {
        /**
         * @param x {@code [..., in]} in the base's dtype
         * @return {@code [..., out]} in the base's dtype, owned by the caller's innermost scope
         */
        Tensor forward(Linear site, Tensor x, Pass pass);
    }

    private final String name;
    private final Parameter weight;
    private final @Nullable Parameter bias;
    private final boolean fanInFanOut;
    private @Nullable Overlay overlay;

    public Linear(String name, Parameter weight, @Nullable Parameter bias, boolean fanInFanOut) {
        this.name = name;
        this.weight = weight;
        this.bias = bias;
        this.fanInFanOut = fanInFanOut;
    }

    public Tensor forward(Tensor x, Pass pass) {
        return overlay == null ? base(x) : overlay.forward(this, x, pass);
    }

    /** The frozen map with its bias. */
    public Tensor base(Tensor x) {
        return apply(x, bias == null ? null : bias.value());
    }

    /** The frozen map without its bias: {@code x W^T}. */
    public Tensor baseWithoutBias(Tensor x) {
        return apply(x, null);
    }

    private Tensor apply(Tensor x, @Nullable Tensor b) {
        PackedWeight packed = weight.packed();
        if (packed != null) {
            Tensor y = packed.multiply(x);
            return b == null ? y : y.add(b);
        }
        Tensor w = matrix();
        if (FewRowsOp.fits(x, w)) {
            Tensor y = FewRowsOp.apply(x, w);
            return b == null ? y : y.add(b);
        }
        if (b == null) {
            return torch.linear(x, w);
        }
        try (TensorOptional optional = new TensorOptional(b)) {
            return torch.linear(x, w, optional);
        }
    }

    /** {@code y W} for {@code y: [n, out]}: what a gradient of the output becomes at the input. Records no gradient. */
    public Tensor transposed(Tensor y) {
        PackedWeight packed = weight.packed();
        return packed != null ? packed.transposed(y) : y.matmul(matrix());
    }

    /**
     * The weight in force as {@code [out, in]}, whatever the stored layout: a view, or where it is held quantized a new
     * tensor in the caller's innermost scope.
     */
    public Tensor matrix() {
        return fanInFanOut ? weight.value().t() : weight.value();
    }

    @Override
    public String name() {
        return name;
    }

    @Override
    public Parameter weight() {
        return weight;
    }

    public @Nullable Parameter bias() {
        return bias;
    }

    /** Whether the weight is stored {@code [in, out]}. */
    public boolean fanInFanOut() {
        return fanInFanOut;
    }

    @Override
    public long in() {
        return weight.shape()[fanInFanOut ? 0 : 1];
    }

    @Override
    public long out() {
        return weight.shape()[fanInFanOut ? 1 : 0];
    }

    /** Whether an overlay computes in the place of the frozen map. */
    public boolean overlaid() {
        return overlay != null;
    }

    public void attach(Overlay overlay) {
        this.overlay = overlay;
    }

    @Override
    public Runnable setAside() {
        Overlay attached = overlay;
        overlay = null;
        return () -> overlay = attached;
    }

    @Override
    public void detachOverlay() {
        overlay = null;
    }
}
