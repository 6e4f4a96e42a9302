package io.lorica.adapter.lowrank;

import io.lorica.adapter.Factors;
import io.lorica.adapter.SiteAdapter;
import io.lorica.model.Linear;
import io.lorica.model.Pass;
import io.lorica.model.Site;
import io.lorica.tensor.Grad;
import io.lorica.tensor.Scope;
import java.util.Optional;
import java.util.SequencedMap;
import org.bytedeco.pytorch.Tensor;

/**
 * A {@link Pair} at work on a linear site: {@code y = W x + b + s (B A - B0 A0) dropout(x)}. Methods that differ from
 * LoRA in how they start or in how they are trained need no other; one that freezes a factor overrides
 * {@link #trainable}.
 */
public class PairAdapter implements SiteAdapter {
    private final Linear site;
    private final Pair pair;
    private final double dropout;

    public PairAdapter(Linear site, LowRankConfig config, Start start) {
        this.site = site;
        this.pair = new Pair(start, config.scaling(site.name()));
        this.dropout = config.dropout();
    }

    @Override
    public final Site site() {
        return site;
    }

    public final Pair pair() {
        return pair;
    }

    @Override
    public final SequencedMap<String, Tensor> tensors() {
        return pair.tensors();
    }

    @Override
    public final SequencedMap<String, Tensor> saved() {
        return pair.saved();
    }

    @Override
    public boolean trainable(String suffix) {
        return !Pair.isStart(suffix);
    }

    @Override
    public Tensor apply(Tensor input, Tensor base, Tensor result, double weight, Pass pass) {
        return pair.add(result, pass.dropout(input, dropout, site.name()), weight);
    }

    @Override
    public Optional<Factors> plainProduct() {
        return Optional.of(pair.factors());
    }

    @Override
    public Tensor change(Tensor matrix) {
        try (Scope scope = Scope.open();
                Grad _ = Grad.disabled()) {
            return scope.keep(pair.product());
        }
    }
}
