package io.lorica.adapter.moe;

import io.lorica.adapter.Factors;
import io.lorica.adapter.SiteAdapter;
import io.lorica.adapter.lowrank.LowRankConfig;
import io.lorica.adapter.lowrank.Magnitude;
import io.lorica.adapter.lowrank.Pair;
import io.lorica.adapter.lowrank.Start;
import io.lorica.model.Linear;
import io.lorica.model.Pass;
import io.lorica.model.Site;
import io.lorica.tensor.Grad;
import io.lorica.tensor.Scope;
import io.lorica.tensor.fused.LowRankGroupsOp;
import java.util.LinkedHashMap;
import java.util.Optional;
import java.util.SequencedMap;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/**
 * One LoRA on one linear map, among others or alone: {@code s B A dropout(x)} beside the frozen product, or DoRA's form with a
 * {@link Magnitude} of its own.
 */
public final class Expert implements SiteAdapter {
    private final Linear site;
    private final String stream;
    private final double dropout;
    private final Pair pair;
    private final @Nullable Magnitude magnitude;
    private final SequencedMap<String, Tensor> tensors;

    /**
     * @param stream name of its dropout
     * @param start taken over; {@code B A = 0}
     * @param dora whether it learns row norms apart from directions
     */
    public Expert(Linear site, String stream, LowRankConfig config, Start start, boolean dora) {
        this.site = site;
        this.stream = stream;
        dropout = config.dropout();
        pair = new Pair(start, config.scaling(site.name()));
        tensors = new LinkedHashMap<>(pair.tensors());
        try (Scope _ = Scope.open();
                Grad _ = Grad.disabled()) {
            magnitude = dora ? Magnitude.of(site, pair) : null;
        }
        if (magnitude != null) {
            tensors.put(Magnitude.KEY, magnitude.vector());
        }
    }

    @Override
    public Site site() {
        return site;
    }

    @Override
    public SequencedMap<String, Tensor> tensors() {
        return tensors;
    }

    /** {@code A}, {@code B} and the scaling; a magnitude is beside them. */
    public Factors factors() {
        return pair.factors();
    }

    @Override
    public Tensor apply(Tensor input, Tensor base, Tensor result, double weight, Pass pass) {
        Tensor x = pass.dropout(input, dropout, stream);
        return magnitude == null
                ? pair.add(result, x, weight)
                : magnitude.apply(x, base, result, weight, pass.training() && dropout > 0);
    }

    /** Whether it is a plain product, which {@link LowRankGroupsOp} can compute. */
    boolean isProduct() {
        return magnitude == null;
    }

    /** It and its next {@code rows} visitors. */
    LowRankGroupsOp.Group group(int rows, double weight, Pass pass) {
        return new LowRankGroupsOp.Group(
                rows,
                pair.wideA(),
                pair.wideB(),
                pair.scaling() * weight,
                pass.training() ? dropout : 0,
                pass.dropout().of(stream));
    }

    @Override
    public Optional<Factors> plainProduct() {
        return magnitude == null ? Optional.of(pair.factors()) : Optional.empty();
    }

    @Override
    public Tensor change(Tensor matrix) {
        try (Scope scope = Scope.open();
                Grad _ = Grad.disabled()) {
            return scope.keep(magnitude == null ? pair.product() : magnitude.change(matrix));
        }
    }
}
