package io.lorica.model;

import io.lorica.tensor.Scope;
import java.util.List;
import org.bytedeco.pytorch.Tensor;

/** A model that reads whole sequences in both directions and gives one vector per token. */
public interface EncoderModel extends BaseModel {

    /** {@code [T]} ids to {@code [T, hidden]}: words, positions and segments, normalised. */
    Tensor embed(Batch batch, Pass pass);

    List<? extends Block> blocks();

    int hiddenSize();

    /** Longest sequence that positions are defined for. */
    int contextLength();

    /** The last hidden state of every token: {@code [T, hidden]}, owned by the caller's innermost scope. */
    default Tensor encode(Batch batch, Pass pass) {
        try (Scope scope = Scope.open()) {
            Tensor hidden = embed(batch, pass);
            for (Block block : blocks()) {
                hidden = block.forward(hidden, batch, pass);
            }
            return scope.keep(hidden);
        }
    }
}
