package io.lorica.model;

import io.lorica.tensor.Scope;
import java.util.List;
import org.bytedeco.pytorch.Tensor;

/** A model that is {@link #embed}, {@link #blocks()} in order, and {@link #finish}; heads come after. */
public interface Transformer extends BaseModel {

    /** {@code [T]} ids to {@code [T, hidden]}. */
    Tensor embed(Batch batch, Pass pass);

    List<? extends Block> blocks();

    /** The pass as the blocks see it, with what they must know of the batch. */
    default Pass inBlocks(Batch batch, Pass pass) {
        return pass;
    }

    /** What comes after the last block, a normalisation as a rule: {@code [T, hidden]} to {@code [T, hidden]}. */
    default Tensor finish(Tensor hidden) {
        return hidden;
    }

    /** Longest sequence that positions are defined for. */
    int contextLength();

    /**
     * The last hidden state of every token: {@code [T, hidden]}, owned by the caller's innermost scope. Advances the
     * batch's cache.
     */
    default Tensor hidden(Batch batch, Pass pass) {
        try (Scope scope = Scope.open()) {
            Tensor hidden = embed(batch, pass);
            Pass inside = inBlocks(batch, pass);
            for (Block block : blocks()) {
                hidden = block.forward(hidden, batch, inside);
            }
            if (batch.cache() != null) {
                batch.cache().advance(batch.lengths());
            }
            return scope.keep(finish(hidden));
        }
    }
}
