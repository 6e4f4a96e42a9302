package io.lorica.model;

import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.jspecify.annotations.Nullable;

/** A frozen table of rows: {@code ids: [...]} (int64) to {@code [..., dim]}; weight {@code [num, dim]}. */
public final class Embedding implements Site {

    /** What an adapter puts in the place of the frozen look-up. */
    @FunctionalInterface
    public interface Overlay {
        Tensor forward(Embedding site, Tensor ids, Pass pass);
    }

    private final String name;
    private final Parameter weight;
    private @Nullable Overlay overlay;

    public Embedding(String name, Parameter weight) {
        this.name = name;
        this.weight = weight;
    }

    public Tensor forward(Tensor ids, Pass pass) {
        return overlay == null ? base(ids) : overlay.forward(this, ids, pass);
    }

    public Tensor base(Tensor ids) {
        PackedWeight packed = weight.packed();
        return packed != null ? packed.lookUp(ids) : torch.embedding(weight.value(), ids);
    }

    @Override
    public String name() {
        return name;
    }

    @Override
    public Parameter weight() {
        return weight;
    }

    @Override
    public long in() {
        return weight.shape()[0];
    }

    @Override
    public long out() {
        return weight.shape()[1];
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
