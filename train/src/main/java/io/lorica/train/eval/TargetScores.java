package io.lorica.train.eval;

import io.lorica.model.CausalModel;
import io.lorica.model.Pass;
import io.lorica.tensor.DType;
import io.lorica.tensor.Grad;
import io.lorica.tensor.Scope;
import io.lorica.tensor.Tensors;
import io.lorica.train.data.Example;
import java.util.ArrayList;
import java.util.List;
import java.util.function.IntConsumer;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;

/**
 * Log-probabilities of targets: {@code log p(token i | tokens before i)} in nats, softmax in float32. Sequences are
 * packed up to a number of tokens, and logits are made for targets only, in chunks.
 */
final class TargetScores {
    private static final int BATCH_TOKENS = 2048;
    private static final int LOGIT_ROWS = 256;

    private TargetScores() {}

    /**
     * @param done receives the number of sequences finished so far
     * @return per sequence, per target in order
     */
    static List<float[]> of(CausalModel model, List<Example> examples, IntConsumer done) {
        List<float[]> all = new ArrayList<>();
        try (Grad _ = Grad.disabled()) {
            int start = 0;
            while (start < examples.size()) {
                int end = start;
                int tokens = 0;
                while (end < examples.size()
                        && (end == start || tokens + examples.get(end).length() <= BATCH_TOKENS)) {
                    tokens += examples.get(end++).length();
                }
                all.addAll(batch(model, examples.subList(start, end)));
                start = end;
                done.accept(start);
            }
        }
        return all;
    }

    private static List<float[]> batch(CausalModel model, List<Example> examples) {
        List<Long> rows = new ArrayList<>();
        List<Long> targets = new ArrayList<>();
        long offset = 0;
        for (Example example : examples) {
            for (int i = 1; i < example.length(); i++) {
                if (example.supervised()[i]) {
                    rows.add(offset + i - 1);
                    targets.add(example.tokens()[i]);
                }
            }
            offset += example.length();
        }
        float[] flat = new float[rows.size()];
        try (Scope _ = Scope.open()) {
            Tensor hidden =
                    model.hidden(Example.batch(examples), Pass.inference());
            for (int from = 0; from < flat.length; from += LOGIT_ROWS) {
                int to = Math.min(flat.length, from + LOGIT_ROWS);
                float[] part = chunk(model, hidden, longs(rows.subList(from, to)), longs(targets.subList(from, to)));
                System.arraycopy(part, 0, flat, from, part.length);
            }
        }
        return split(flat, examples);
    }

    private static float[] chunk(CausalModel model, Tensor hidden, long[] rows, long[] targets) {
        try (Scope _ = Scope.open()) {
            Tensor logits = model.head().forward(hidden.index_select(0, Tensors.of(rows)), Pass.inference());
            Tensor wide = Tensors.to(logits, DType.F32);
            Tensor chosen =
                    wide.gather(1, Tensors.of(targets, targets.length, 1)).squeeze(1);
            return Tensors.floats(chosen.sub(torch.logsumexp(wide, 1)));
        }
    }

    private static List<float[]> split(float[] flat, List<Example> examples) {
        List<float[]> parts = new ArrayList<>();
        int at = 0;
        for (Example example : examples) {
            int count = example.supervisedTokens();
            parts.add(java.util.Arrays.copyOfRange(flat, at, at + count));
            at += count;
        }
        return parts;
    }

    private static long[] longs(List<Long> values) {
        return values.stream().mapToLong(Long::longValue).toArray();
    }
}
