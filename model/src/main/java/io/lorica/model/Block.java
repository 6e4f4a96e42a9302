package io.lorica.model;

import org.bytedeco.pytorch.Tensor;

/** One layer of a transformer: {@code [T, hidden]} to {@code [T, hidden]}. */
@FunctionalInterface
public interface Block {
    /** @return owned by the caller's innermost scope */
    Tensor forward(Tensor hidden, Batch batch, Pass pass);
}
