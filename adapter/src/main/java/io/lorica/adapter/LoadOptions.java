package io.lorica.adapter;

/**
 * How strictly an adapter is read.
 *
 * @param allowPartial whether tensors may be missing or left over (shapes and finite numbers are always required)
 * @param trainable whether training goes on from it
 * @param anyBase whether a fingerprint of another base is let pass
 */
public record LoadOptions(boolean allowPartial, boolean trainable, boolean anyBase) {
    public static final LoadOptions STRICT = new LoadOptions(false, false, false);

    public LoadOptions withPartial() {
        return new LoadOptions(true, trainable, anyBase);
    }

    public LoadOptions withTraining() {
        return new LoadOptions(allowPartial, true, anyBase);
    }

    public LoadOptions withAnyBase() {
        return new LoadOptions(allowPartial, trainable, true);
    }
}
