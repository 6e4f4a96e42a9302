package io.lorica.model;

import io.lorica.tensor.Scope;
import io.lorica.tensor.fused.SwiGluOp;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/**
 * A gated feed-forward block {@code y = down(silu(gate(x)) * up(x))} as a place where something may act as a whole: what
 * lies between its linear maps is not linear, so a mixture of several such blocks is no sum over their sites. It computes
 * the frozen block (whose three maps are sites of their own); where an overlay is attached, the overlay computes instead.
 *
 * <p>{@code x, y: [T, hidden]}.
 */
public final class FeedForward {

    /** What is put in the place of the block. */
    @FunctionalInterface
    public interface Overlay {
        /**
         * @param x {@code [T, hidden]} in the base's dtype
         * @return likewise, owned by the caller's innermost scope
         */
        Tensor forward(FeedForward block, Tensor x, Pass pass);
    }

    private final String name;
    private final Linear gate;
    private final Linear up;
    private final Linear down;
    private @Nullable Overlay overlay;

    /** Of three maps of one module, after which it is named: {@code model.layers.3.mlp}. */
    public FeedForward(Linear gate, Linear up, Linear down) {
        name = gate.name().substring(0, gate.name().lastIndexOf('.'));
        this.gate = gate;
        this.up = up;
        this.down = down;
    }

    public Tensor forward(Tensor x, Pass pass) {
        return overlay == null ? plain(x, pass) : overlay.forward(this, x, pass);
    }

    /** The block without its own overlay; those of its sites act. */
    public Tensor plain(Tensor x, Pass pass) {
        try (Scope scope = Scope.open()) {
            Tensor gated = SwiGluOp.apply(gate.forward(x, pass), up.forward(x, pass));
            return scope.keep(down.forward(gated, pass));
        }
    }

    public String name() {
        return name;
    }

    public Linear gate() {
        return gate;
    }

    public Linear up() {
        return up;
    }

    public Linear down() {
        return down;
    }

    public void attach(Overlay value) {
        overlay = value;
    }

    /** Lets the block itself compute again. */
    public void detachOverlay() {
        overlay = null;
    }

    /**
     * Lets the block itself compute for a while.
     *
     * @return puts the overlay back that is attached now, if there is one
     */
    public Runnable setAside() {
        Overlay attached = overlay;
        overlay = null;
        return () -> overlay = attached;
    }
}
