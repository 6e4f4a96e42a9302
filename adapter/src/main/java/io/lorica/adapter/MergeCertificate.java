package io.lorica.adapter;

import io.lorica.model.WeightFormat;
import io.lorica.tensor.DType;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;

/**
 * What a merge did to the numbers.
 *
 * @param dtype precision of the merged weights
 * @param sites rounding by site, in the order of the forward pass
 * @param prompts how many prompts were compared; 0 where the model has no logits
 * @param logitChange largest absolute difference of a last-position logit, merged against overlay
 * @param adapterEffect largest absolute difference of a logit, overlay against base: what the adapter is worth
 * @param largestLogit largest absolute logit of the overlay
 * @param tolerance allowed {@code logitChange / largestLogit}
 * @param baseFormat how the base's weights were held; the merged weights are dense in {@code dtype}
 * @param baseError what that had rounded away before the merge: the largest {@code |W - Q| / |W|} (Frobenius) of a merged
 *     site against the checkpoint; 0 for a dense base
 */
public record MergeCertificate(
        DType dtype,
        List<SiteError> sites,
        int prompts,
        double logitChange,
        double adapterEffect,
        double largestLogit,
        double tolerance,
        WeightFormat baseFormat,
        double baseError) {

    /**
     * Rounding at one site.
     *
     * @param max largest absolute difference between the rounded and the exact merged weight
     * @param relative Frobenius norm of that difference over that of the adapter's own change: at 1, rounding is as
     *     large as what the adapter does
     */
    public record SiteError(String site, double max, double relative) {}

    public MergeCertificate {
        sites = List.copyOf(sites);
    }

    public boolean acceptable() {
        return logitChange <= tolerance * Math.max(largestLogit, 1e-12);
    }

    /** The site where rounding costs the adapter most. */
    public SiteError worst() {
        return sites.stream()
                .max(Comparator.comparingDouble(SiteError::relative))
                .orElse(new SiteError("none", 0, 0));
    }

    /** One line for people. */
    @Override
    public String toString() {
        String base = baseFormat.quantized()
                ? String.format(
                        Locale.ROOT,
                        "; the base was held as %s, which had rounded its weights by up to %.3g %% of their norm",
                        baseFormat,
                        100 * baseError)
                : "";
        return String.format(
                        Locale.ROOT,
                        "merged %d sites as %s: logits change by at most %.3g (adapter's own effect %.3g, largest logit %.3g, "
                                + "allowed %.3g) on %d prompts; worst rounding at %s: %.3g absolute, %.1f %% of the adapter's change",
                        sites.size(),
                        dtype,
                        logitChange,
                        adapterEffect,
                        largestLogit,
                        tolerance * largestLogit,
                        prompts,
                        worst().site(),
                        worst().max(),
                        100 * worst().relative())
                + base;
    }
}
