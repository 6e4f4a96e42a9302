package io.lorica.serve.mix;

import io.lorica.adapter.Adapter;
import io.lorica.adapter.Factors;
import io.lorica.adapter.SiteAdapter;
import io.lorica.model.Site;
import io.lorica.tensor.DType;
import io.lorica.tensor.Grad;
import io.lorica.tensor.LoricaException;
import io.lorica.tensor.Scope;
import io.lorica.tensor.Tensors;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/**
 * An adapter in the form in which it serves. Where it adds a plain low-rank product, the factors are kept in the base's
 * dtype, turned for the products and with the scaling in B; everywhere else the method's own arithmetic stays.
 */
public final class ServedAdapter implements AutoCloseable {
    private final String name;
    private final Map<String, Part> parts;
    private final @Nullable Adapter whole;
    private final long bytes;
    private final int rank;

    /** What an adapter does at one site. */
    sealed interface Part {

        /**
         * Both in the base's dtype.
         *
         * @param down {@code [in, r]}
         * @param up {@code [r, out]}, scaled
         */
        record Product(Tensor down, Tensor up) implements Part {}

        record Method(SiteAdapter adapter) implements Part {}
    }

    private ServedAdapter(String name, Map<String, Part> parts, @Nullable Adapter whole, int rank) {
        this.name = name;
        this.parts = parts;
        this.whole = whole;
        this.rank = rank;
        long size = 0;
        for (Part part : parts.values()) {
            if (part instanceof Part.Product product) {
                size += Tensors.bytes(product.down()) + Tensors.bytes(product.up());
            }
        }
        if (whole != null) {
            size += whole.state().values().stream().mapToLong(Tensors::bytes).sum();
        }
        bytes = size;
    }

    /**
     * Takes an adapter over: it is closed with this object, or at once where nothing of it is needed any more.
     *
     * @throws LoricaException.Unsupported where it replaces whole weights of the base, which a batch of several
     *     adapters shares
     */
    public static ServedAdapter of(String name, Adapter adapter) {
        if (!adapter.replaced().isEmpty()) {
            String weights = String.join(", ", adapter.replaced());
            adapter.close();
            throw new LoricaException.Unsupported(
                    "adapter '" + name + "' replaces whole weights of the base (" + weights
                            + "), which requests for other adapters share; merge it into a model of its own with"
                            + " 'lorica adapter merge'");
        }
        try (Scope _ = Scope.open();
                Grad _ = Grad.disabled()) {
            Map<String, Part> parts = new HashMap<>();
            boolean products = true;
            int rank = 0;
            for (SiteAdapter part : adapter.sites().values()) {
                Optional<Factors> factors = part.plainProduct();
                products &= factors.isPresent();
                rank = Math.max(rank, factors.map(f -> (int) f.a().size(0)).orElse(0));
                parts.put(
                        part.site().name(),
                        factors.map(f -> product(f, part.site())).orElseGet(() -> new Part.Method(part)));
            }
            if (products) {
                adapter.close();
            }
            return new ServedAdapter(name, parts, products ? null : adapter, rank);
        }
    }

    private static Part product(Factors factors, Site site) {
        DType type = site.weight().dtype();
        try (Scalar scaling = new Scalar(factors.scaling())) {
            Tensor down = Tensors.to(factors.a().detach(), type).t();
            Tensor up = Tensors.to(factors.b().detach().mul(scaling), type).t();
            return new Part.Product(Scope.release(down), Scope.release(up));
        }
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
        return rank;
    }

    @Nullable
    Part at(Site site) {
        return parts.get(site.name());
    }

    /** Frees its tensors. No request may use it any more. */
    @Override
    public void close() {
        for (Part part : parts.values()) {
            if (part instanceof Part.Product product) {
                product.down().close();
                product.up().close();
            }
        }
        if (whole != null) {
            whole.close();
        }
    }
}
