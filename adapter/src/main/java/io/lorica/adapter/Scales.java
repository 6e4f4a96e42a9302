package io.lorica.adapter;

import io.lorica.model.Rates;
import java.util.List;

/**
 * An adapter that serves several rates of compression, of which one is chosen at inference; an {@link Adapter} offers it
 * where its {@link Shared} part implements it. Choosing changes no tensor.
 */
public interface Scales {

    /** In the order of training. */
    List<Rates> scales();

    /** The scale in use outside training, by passes that read no recordings: the first unless chosen otherwise. */
    Rates inUse();

    /**
     * Uses the adapter at that scale from now on; what is merged or saved then is a plain LoRA for that scale alone. Take
     * a merge back first: it holds the old scale's update.
     *
     * @throws io.lorica.tensor.LoricaException.BadInput for rates that the adapter was not made for
     */
    void use(Rates rates);

    /** Trains at that scale from now on, in passes that read no recordings; others are at their recordings' rates. */
    void train(Rates rates);
}
