package io.lorica.serve.mix;

import io.lorica.adapter.Adapter;
import io.lorica.adapter.BlockAdapter;
import io.lorica.adapter.Factors;
import io.lorica.adapter.SiteAdapter;
import io.lorica.model.FeedForward;
import io.lorica.model.Parameter;
import io.lorica.model.Site;
import io.lorica.tensor.DType;
import io.lorica.tensor.Grad;
import io.lorica.tensor.LoricaException;
import io.lorica.tensor.Scope;
import io.lorica.tensor.Tensors;
import io.lorica.tensor.fused.Elements;
import io.lorica.tensor.fused.LowRankOp;
import java.util.Collections;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/**
 * An adapter in the form in which it serves. Where it adds a plain low-rank product, the factors are kept in the base's
 * dtype, all in one tensor, with the scaling in B; everywhere else the method's own arithmetic stays.
 */
public final class ServedAdapter implements AutoCloseable {
    private final String name;
    private final Map<String, Part> parts;
    private final List<Swap> swaps;
    private final @Nullable Adapter whole;
    private final Map<FeedForward, BlockAdapter> blocks = new HashMap<>();
    private final @Nullable Tensor memory;
    private final long bytes;
    private volatile boolean closed;

    /** What an adapter does at one site. */
    public sealed interface Part {

        /** In the base's dtype, the scaling in B. */
        record Product(LowRankOp.Product factors) implements Part {}

        record Method(SiteAdapter adapter) implements Part {}
    }

    /** A weight or bias of a site in the base's dtype that stands in the base's place. */
    record Swap(Site site, Parameter parameter, Tensor value) {}

    private ServedAdapter(
            String name, Map<String, Part> parts, List<Swap> swaps, @Nullable Tensor memory, @Nullable Adapter whole) {
        this.name = name;
        this.parts = parts;
        this.swaps = swaps;
        this.memory = memory;
        this.whole = whole;
        if (whole != null) {
            whole.shared().blocks().forEach(part -> blocks.put(part.block(), part));
        }
        long size = memory == null ? 0 : Tensors.bytes(memory);
        if (whole != null) {
            size += whole.state().values().stream().mapToLong(Tensors::bytes).sum();
        }
        bytes = size
                + swaps.stream().mapToLong(swap -> Tensors.bytes(swap.value())).sum();
    }

    /**
     * Takes an adapter over: it is closed with this object, or at once where nothing of it is needed any more.
     *
     * @throws LoricaException.Unsupported where it replaces weights that are no site's
     */
    public static ServedAdapter of(String name, Adapter adapter) {
        try (Scope _ = Scope.open();
                Grad _ = Grad.disabled()) {
            Map<String, Part> parts = new LinkedHashMap<>();
            Map<SiteAdapter, Factors> products = new LinkedHashMap<>();
            for (SiteAdapter part : adapter.sites().values()) {
                part.plainProduct()
                        .ifPresentOrElse(
                                factors -> products.put(part, factors),
                                () -> parts.put(part.site().name(), new Part.Method(part)));
            }
            List<Swap> swaps = swaps(adapter);
            Tensor memory = products.isEmpty() ? null : pack(products, parts);
            if (parts.size() == products.size()) {
                adapter.close();
                return new ServedAdapter(name, parts, swaps, memory, null);
            }
            return new ServedAdapter(name, parts, swaps, memory, adapter);
        } catch (LoricaException.Unsupported e) {
            adapter.close();
            throw e;
        }
    }

    private static List<Swap> swaps(Adapter adapter) {
        return adapter.replacements().stream()
                .map(one -> new Swap(
                        one.site(),
                        one.parameter(),
                        Scope.release(Tensors.to(one.value(), one.parameter().dtype())
                                .detach()
                                .clone())))
                .toList();
    }

    /** Lays all factors into one tensor. */
    private static Tensor pack(Map<SiteAdapter, Factors> products, Map<String, Part> parts) {
        long size = products.values().stream()
                .mapToLong(factors -> factors.a().numel() + factors.b().numel())
                .sum();
        DType type = products.keySet().iterator().next().site().weight().dtype();
        Tensor memory = Scope.release(Tensors.empty(type, size));
        Elements elements = new Elements(memory);
        long at = 0;
        for (Map.Entry<SiteAdapter, Factors> entry : products.entrySet()) {
            Factors factors = entry.getValue();
            int rank = (int) factors.a().size(0);
            long b = at + factors.a().numel();
            try (Scalar scaling = new Scalar(factors.scaling())) {
                elements.write(at, factors.a().detach());
                elements.write(b, factors.b().detach().mul(scaling).t());
            }
            parts.put(
                    entry.getKey().site().name(),
                    new Part.Product(new LowRankOp.Product(
                            elements,
                            (int) factors.a().size(1),
                            (int) factors.b().size(0),
                            List.of(new LowRankOp.Piece(rank, at, b)))));
            at = b + factors.b().numel();
        }
        return memory;
    }

    public String name() {
        return name;
    }

    /** Bytes of native memory it holds. */
    public long bytes() {
        return bytes;
    }

    /** Largest rank of its plain products; 0 where it has none. */
    public int rank() {
        return products().values().stream()
                .mapToInt(LowRankOp.Product::rank)
                .max()
                .orElse(0);
    }

    /** Whether it has been closed, so that nobody can ask for it any more. */
    public boolean closed() {
        return closed;
    }

    /** Its plain products by the names of their sites, in the order of the base. */
    Map<String, LowRankOp.Product> products() {
        Map<String, LowRankOp.Product> products = new LinkedHashMap<>();
        parts.forEach((site, part) -> {
            if (part instanceof Part.Product product) {
                products.put(site, product.factors());
            }
        });
        return products;
    }

    /** What it does, by the names of the sites. */
    public Map<String, Part> parts() {
        return Collections.unmodifiableMap(parts);
    }

    /** What it does on a whole feed-forward block; null where it does nothing there. */
    @Nullable
    BlockAdapter at(FeedForward block) {
        return blocks.get(block);
    }

    /** What it puts in the place of the base's own at a site. */
    List<Swap> swaps(Site site) {
        return swaps.isEmpty()
                ? swaps
                : swaps.stream().filter(swap -> swap.site() == site).toList();
    }

    List<Swap> swaps() {
        return swaps;
    }

    /** Whether all it does is to add to what sites give: it replaces nothing and acts on no whole block. */
    public boolean onlyAdds() {
        return swaps.isEmpty() && blocks.isEmpty();
    }

    @Nullable
    Part at(Site site) {
        return parts.get(site.name());
    }

    /** Frees its tensors. No request may use it any more. */
    @Override
    public void close() {
        closed = true;
        swaps.forEach(swap -> swap.value().close());
        if (memory != null) {
            memory.close();
        }
        if (whole != null) {
            whole.close();
        }
    }
}
