package io.lorica.adapter;

import org.jspecify.annotations.Nullable;

/**
 * How strictly an adapter is read.
 *
 * @param allowPartial whether tensors may be missing or left over (shapes and finite numbers are always required)
 * @param trainable whether training goes on from it
 * @param anyBase whether a fingerprint of another base is let pass
 * @param base the base's fingerprint where it is known already (a server loads many adapters on one base); null to
 *     compute it when an adapter names one
 */
public record LoadOptions(
        boolean allowPartial,
        boolean trainable,
        boolean anyBase,
        @Nullable Fingerprint base) {
    public static final LoadOptions STRICT = new LoadOptions(false, false, false, null);

    public LoadOptions withBase(Fingerprint fingerprint) {
        return new LoadOptions(allowPartial, trainable, anyBase, fingerprint);
    }

    public LoadOptions withPartial() {
        return new LoadOptions(true, trainable, anyBase, base);
    }

    public LoadOptions withTraining() {
        return new LoadOptions(allowPartial, true, anyBase, base);
    }

    public LoadOptions withAnyBase() {
        return new LoadOptions(allowPartial, trainable, true, base);
    }
}
