package io.lorica.model;

import io.lorica.tensor.Scope;
import org.bytedeco.pytorch.Tensor;

/** A model with a head that scores a sequence: one score per label, or a single one that is a regression's value. */
public interface ClassifierModel extends Transformer {

    /** Number of scores; 1 means regression. */
    int labels();

    /**
     * The head.
     *
     * @param hidden what {@link #hidden} gave: {@code [T, hidden]}
     * @return {@code [sequences, labels]}, before any softmax, owned by the caller's innermost scope
     */
    Tensor classify(Tensor hidden, Batch batch, Pass pass);

    /** Model and head: {@code [sequences, labels]}, owned by the caller's innermost scope. */
    default Tensor scores(Batch batch, Pass pass) {
        try (Scope scope = Scope.open()) {
            return scope.keep(classify(hidden(batch, pass), batch, pass));
        }
    }
}
