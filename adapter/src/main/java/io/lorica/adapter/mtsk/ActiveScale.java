package io.lorica.adapter.mtsk;

import io.lorica.adapter.Scales;
import io.lorica.adapter.Shared;
import io.lorica.model.Pass;
import io.lorica.model.Rates;
import io.lorica.model.Site;
import io.lorica.tensor.LoricaException;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.SequencedMap;
import java.util.stream.Collectors;
import org.bytedeco.pytorch.Tensor;

/** The scale that all sites of one adapter share: one for training, and one for use. */
final class ActiveScale implements Shared, Scales {
    private final List<Rates> scales;
    private final List<Site> sites;
    private Rates trained;
    private Rates used;
    private boolean chosen;

    ActiveScale(MtskConfig config, List<Site> sites) {
        this.sites = sites;
        scales = config.scales();
        trained = scales.getFirst();
        used = trained;
    }

    @Override
    public List<Rates> scales() {
        return scales;
    }

    /** The scale of a pass: that of the recordings it reads, else the one chosen for training or for use. */
    Rates of(Pass pass) {
        Rates read = pass.rates();
        if (read != null) {
            return known(read);
        }
        return pass.training() ? trained : used;
    }

    @Override
    public Rates inUse() {
        return used;
    }

    List<Site> sites() {
        return sites;
    }

    /** Whether somebody chose the scale in use. */
    boolean chosen() {
        return chosen;
    }

    @Override
    public void use(Rates rates) {
        used = known(rates);
        chosen = true;
    }

    @Override
    public void train(Rates rates) {
        trained = known(rates);
    }

    private Rates known(Rates rates) {
        if (!scales.contains(rates)) {
            throw new LoricaException.BadInput("the adapter was not made for the rates audio " + rates.audio()
                    + ", video " + rates.video() + "; it knows "
                    + scales.stream()
                            .map(scale -> scale.audio() + "/" + scale.video())
                            .collect(Collectors.joining(", ")));
        }
        return rates;
    }

    @Override
    public SequencedMap<String, Tensor> tensors() {
        return new LinkedHashMap<>();
    }
}
