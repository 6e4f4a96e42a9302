package io.lorica.adapter.moe;

/**
 * The loss that keeps experts in use (Fedus et al., Switch Transformers, 2021, in its form for several choices):
 *
 * <pre>
 * L = coefficient * sum_groups E * sum_e f_e P_e
 * </pre>
 *
 * over the tokens of all routers of a group: {@code P_e} is the mean probability of expert e, {@code f_e} how often it was chosen
 * per token ({@link Counts#PER_TOKEN}, so that the loss of even use is K) or per choice ({@link Counts#PER_CHOICE}: 1). Only
 * {@code P} has a gradient: {@code coefficient * E * f_e / tokens} at every token's probability of e.
 *
 * <p>{@link Groups#SAMPLE} is LLaVA-MoLE's form: {@code coefficient * mean_samples sum_e f_e P_e}, without the factor E.
 *
 * @param coefficient from 0; at 0 nothing is added to the loss
 */
public record Balance(double coefficient, Counts counts, Groups groups) {

    /** No loss at all. */
    public static final Balance NONE = new Balance(0, Counts.PER_TOKEN, Groups.ALL);

    /** Factor on {@code sum_e f_e P_e} of one group. */
    double factor(int experts, int samples) {
        return coefficient * (groups == Groups.SAMPLE ? 1.0 / samples : experts);
    }

    /** What {@code f} is a share of. */
    public enum Counts {
        PER_TOKEN,
        PER_CHOICE
    }

    /** Which routers' tokens are taken together. */
    public enum Groups {
        /** All of the model (MixLoRA's code). */
        ALL,
        /** Those of a layer, by the first number in the router's name (MoLA's code). */
        LAYER,
        /** All of the model, each sequence apart (LLaVA-MoLE's code). */
        SAMPLE;

        String of(String router, int sample) {
            return switch (this) {
                case ALL -> "";
                case LAYER -> router.replaceFirst("^(.*?\\.\\d+)\\..*$", "$1");
                case SAMPLE -> Integer.toString(sample);
            };
        }
    }
}
