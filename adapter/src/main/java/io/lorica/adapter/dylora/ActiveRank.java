package io.lorica.adapter.dylora;

import io.lorica.adapter.NestedRanks;
import io.lorica.adapter.Shared;
import io.lorica.tensor.LoricaException;
import java.util.LinkedHashMap;
import java.util.SequencedMap;
import org.bytedeco.pytorch.Tensor;

/** The rank that all sites of one adapter share: one for training, drawn anew each step, and one for use. */
final class ActiveRank implements Shared, NestedRanks {
    private final DyLoraConfig config;
    private int trained;
    private int used;

    ActiveRank(DyLoraConfig config) {
        this.config = config;
        trained = config.lowRank().r();
        used = trained;
    }

    /** The rank of the optimizer step under way. */
    int trained() {
        return trained;
    }

    void train(int rank) {
        trained = rank;
    }

    @Override
    public int smallest() {
        return config.rMin();
    }

    @Override
    public int largest() {
        return config.lowRank().r();
    }

    @Override
    public int rank() {
        return used;
    }

    @Override
    public void use(int rank) {
        if (rank < smallest() || rank > largest()) {
            throw new LoricaException.BadInput("rank " + rank
                    + " is not among those this adapter was trained for; choose " + smallest() + " to " + largest());
        }
        used = rank;
    }

    @Override
    public SequencedMap<String, Tensor> tensors() {
        return new LinkedHashMap<>();
    }
}
