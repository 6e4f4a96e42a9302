package io.lorica.serve.mix;

import io.lorica.model.BaseModel;
import io.lorica.model.Linear;
import io.lorica.model.Parameter;
import io.lorica.model.Site;
import io.lorica.serve.pool.PagePool;
import io.lorica.tensor.DType;
import io.lorica.tensor.Grad;
import io.lorica.tensor.LoricaException;
import io.lorica.tensor.Scope;
import io.lorica.tensor.Tensors;
import io.lorica.tensor.fused.LowRankOp;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.HashMap;
import java.util.Map;
import java.util.OptionalInt;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/**
 * Copies of the base's weights with one blend merged in, {@code W' = W + sum(weight_i change_i)}, in pages of a pool: while
 * all requests have the same adapters, one product computes what otherwise takes several. The base itself is untouched, so
 * it is given up by giving the pages back.
 *
 * <p>Sites are merged one after another between passes. Those that cannot be (quantized weights, changed biases, methods
 * without an equal weight, embeddings) are computed as in any mixed batch. One thread uses it.
 */
public final class MergedBlend implements AutoCloseable {
    private final PagePool pool;
    private final Blend blend;
    private final Deque<Linear> left = new ArrayDeque<>();
    private final Map<String, Copy> copies = new HashMap<>();

    private record Copy(Tensor weight, int first, int pages) {}

    /** Merges nothing yet. */
    public MergedBlend(BaseModel model, Blend blend, PagePool pool) {
        this.pool = pool;
        this.blend = blend;
        for (Site site : model.sites().values()) {
            if (site instanceof Linear linear && mergeable(linear)) {
                left.add(linear);
            }
        }
    }

    public Blend blend() {
        return blend;
    }

    private boolean mergeable(Linear site) {
        boolean concerned = false;
        for (Blend.Part part : blend.parts()) {
            ServedAdapter.Part at = part.adapter().at(site);
            concerned |= at != null;
            if (at instanceof ServedAdapter.Part.Method method
                    && method.adapter().biasChange().isPresent()) {
                return false;
            }
        }
        return concerned && !site.weight().quantized();
    }

    /** Whether every site that can be merged is. */
    public boolean complete() {
        return left.isEmpty();
    }

    /**
     * Merges the next site.
     *
     * @param spare pages that must stay free
     * @return false where the pool has too few pages, or none left to merge
     */
    public boolean mergeNext(int spare) {
        Linear site = left.peek();
        if (site == null) {
            return false;
        }
        long elements = site.in() * site.out();
        int pages = (int) Math.ceilDiv(elements, pool.pageElements());
        OptionalInt first =
                pool.free() < pages + spare ? OptionalInt.empty() : pool.takeRun(pages, PagePool.Use.MERGED);
        if (first.isEmpty()) {
            return false;
        }
        left.remove();
        try (Scope _ = Scope.open();
                Grad _ = Grad.disabled()) {
            Tensor weight = pool.elements().view(pool.start(first.getAsInt()), site.out(), site.in());
            weight.copy_(merged(site));
            copies.put(site.name(), new Copy(Scope.release(weight), first.getAsInt(), pages));
        } catch (LoricaException.Unsupported _) {
            give(first.getAsInt(), pages); // no weight is equal to that method here: the overlay goes on computing it
        }
        return true;
    }

    /** {@code [out, in]} float32. */
    private Tensor merged(Linear site) {
        Parameter weight = site.weight();
        Tensor frozen = Tensors.to(site.fanInFanOut() ? weight.frozen().t() : weight.frozen(), DType.F32);
        Tensor result = frozen.clone();
        for (Blend.Part part : blend.parts()) {
            try (Scalar factor = new Scalar(part.weight())) {
                switch (part.adapter().at(site)) {
                    case null -> {
                        // This adapter leaves the site alone.
                    }
                    case ServedAdapter.Part.Product product -> result.add_(change(product.factors()), factor);
                    case ServedAdapter.Part.Method method ->
                        result.add_(method.adapter().change(frozen), factor);
                }
            }
        }
        return result;
    }

    private static Tensor change(LowRankOp.Product product) {
        LowRankOp.Piece piece = product.pieces().getFirst(); // an adapter's own memory has each product in one piece
        Tensor a = product.memory().view(piece.a(), piece.rank(), product.in());
        Tensor b = product.memory().view(piece.b(), piece.rank(), product.out());
        return Tensors.to(b, DType.F32).t().mm(Tensors.to(a, DType.F32));
    }

    /** The merged weight {@code [out, in]}; null where the site is not merged. */
    @Nullable
    Tensor weight(Site site) {
        Copy copy = copies.get(site.name());
        return copy == null ? null : copy.weight();
    }

    private void give(int first, int pages) {
        for (int page = first; page < first + pages; page++) {
            pool.give(page);
        }
    }

    /** Gives the pages back. */
    @Override
    public void close() {
        left.clear();
        copies.values().forEach(copy -> {
            copy.weight().close();
            give(copy.first(), copy.pages());
        });
        copies.clear();
    }
}
