package io.lorica.train;

import io.lorica.model.Batch;
import io.lorica.train.data.Example;
import java.util.List;

/**
 * Examples laid out for one forward pass: packed tokens, and the rows of the hidden states whose next token is a target.
 * Labelled examples have no such rows.
 *
 * @param rows places in the packed tokens, ascending
 * @param targets the token that follows each row
 */
record MicroBatch(List<Example> examples, long[] rows, long[] targets) {

    static MicroBatch of(List<Example> examples) {
        int count = examples.stream().mapToInt(Example::supervisedTokens).sum();
        long[] rows = new long[count];
        long[] targets = new long[count];
        int filled = 0;
        int at = 0;
        for (Example example : examples) {
            for (int i = 1; i < example.length(); i++) {
                if (example.supervised()[i]) {
                    rows[filled] = at + i - 1;
                    targets[filled++] = example.tokens()[i];
                }
            }
            at += example.length();
        }
        return new MicroBatch(examples, rows, targets);
    }

    /** The tensors of the forward pass, owned by the caller's innermost scope. */
    Batch batch() {
        return Example.batch(examples);
    }

    /** Tokens of each example. */
    int[] lengths() {
        return examples.stream().mapToInt(Example::length).toArray();
    }

    int tokens() {
        return examples.stream().mapToInt(example -> example.length()).sum();
    }
}
