package io.lorica.model.t5;

import io.lorica.model.Batch;
import io.lorica.model.Embedding;
import io.lorica.model.Pass;
import io.lorica.tensor.DType;
import io.lorica.tensor.Scope;
import io.lorica.tensor.Tensors;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;

/**
 * What is added to attention scores for the distance between two tokens (Raffel et al. 2020, section 2.1): a learned
 * number per head and bucket, where small distances have a bucket each and larger ones share buckets that widen
 * logarithmically. The first layer's table serves all layers.
 *
 * @param table {@code [buckets, heads]}
 * @param causal whether a token sees only itself and what is before it (the decoder)
 */
record RelativePositions(Embedding table, boolean causal, int maxDistance) {
    private record Rows(int past, int count) {}

    /** For each sequence {@code [heads, tokens, past + tokens]}, in the caller's innermost scope. */
    List<Tensor> bias(Batch batch, Pass pass) {
        Map<Rows, Tensor> made = new HashMap<>();
        List<Tensor> biases = new ArrayList<>();
        for (int i = 0; i < batch.size(); i++) {
            int past = batch.cache() == null ? 0 : batch.cache().length(i);
            biases.add(made.computeIfAbsent(new Rows(past, batch.lengths()[i]), rows -> bias(rows, pass)));
        }
        return biases;
    }

    private Tensor bias(Rows rows, Pass pass) {
        try (Scope scope = Scope.open()) {
            int total = rows.past() + rows.count();
            long[] byDistance = buckets(total);
            long half = causal ? 0 : table.in() / 2;
            long[] ids = new long[rows.count() * total];
            for (int row = 0; row < rows.count(); row++) {
                for (int column = 0; column < total; column++) {
                    int ahead = column - rows.past() - row;
                    int distance = causal ? Math.max(0, -ahead) : Math.abs(ahead);
                    ids[row * total + column] = byDistance[distance] + (ahead > 0 ? half : 0);
                }
            }
            Tensor bias =
                    table.forward(Tensors.of(ids, rows.count(), total), pass).permute(2, 0, 1);
            return scope.keep(causal && rows.count() > 1 ? bias.add(mask(rows, total, DType.of(bias))) : bias);
        }
    }

    /** Bucket of each distance below {@code count}; in float32, since transformers rounds there. */
    private long[] buckets(int count) {
        try (Scope _ = Scope.open()) {
            long known = causal ? table.in() : table.in() / 2;
            long exact = known / 2;
            long[] distances = new long[count];
            Arrays.setAll(distances, i -> i);
            Tensor large = Tensors.to(Tensors.of(distances), DType.F32)
                    .div(new Scalar((double) exact))
                    .log()
                    .div(new Scalar(Math.log(maxDistance / (double) exact)))
                    .mul(new Scalar((double) (known - exact)));
            float[] steps = Tensors.floats(large);
            for (int i = (int) Math.min(count, exact); i < count; i++) {
                distances[i] = Math.min(exact + (long) steps[i], known - 1);
            }
            return distances;
        }
    }

    /** {@code [tokens, total]}: minus infinity where a token may not look. */
    private static Tensor mask(Rows rows, int total, DType type) {
        Tensor hidden = torch.triu(Tensors.ones(DType.BOOL, rows.count(), total), rows.past() + 1);
        return Tensors.zeros(type, rows.count(), total).masked_fill_(hidden, new Scalar(Double.NEGATIVE_INFINITY));
    }
}
