package io.lorica.adapter;

import java.util.List;

/**
 * A base whose weights are held in few bits while this is open, and an adapter in full precision that holds what of them
 * matters most; made by {@link Method#splitQuantized}. {@code ModelExport} writes the base as it is meanwhile.
 */
public interface QuantizedSplit extends AutoCloseable {

    /**
     * How far from a site's weight W the frozen part Q and the adapter are together, as nuclear norms.
     *
     * @param plain {@code |W - quantized(W)|_*}
     * @param split {@code |W - (Q + s B A)|_*}
     */
    record SiteError(String site, double plain, double split) {}

    /** On the replaced weights. */
    Adapter adapter();

    /** In the order of the forward pass. */
    List<SiteError> errors();

    /** {@code 1 - sum |W - (Q + s B A)|_* / sum |W - quantized(W)|_*}: the paper's reduction of the error. */
    default double reduction() {
        double plain = errors().stream().mapToDouble(SiteError::plain).sum();
        return plain == 0
                ? 0
                : 1 - errors().stream().mapToDouble(SiteError::split).sum() / plain;
    }

    /** Gives the base its weights back and frees the adapter. */
    @Override
    void close();
}
