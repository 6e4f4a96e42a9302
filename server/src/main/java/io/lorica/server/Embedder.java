package io.lorica.server;

import io.lorica.model.Batch;
import io.lorica.model.EncoderModel;
import io.lorica.model.Pass;
import io.lorica.serve.mix.Blend;
import io.lorica.serve.mix.MixedOverlay;
import io.lorica.serve.mix.Rows;
import io.lorica.tensor.DType;
import io.lorica.tensor.Grad;
import io.lorica.tensor.LoricaException;
import io.lorica.tensor.Scope;
import io.lorica.tensor.Tensors;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Future;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;

/**
 * Vectors of texts from an encoder: the mean of the last layer's vectors over all tokens, special ones included, divided
 * by its Euclidean norm. That is what sentence-transformers does by default (mean pooling, normalised); models trained
 * to be read at their first token give other vectors there.
 *
 * <p>One platform thread owns the model and takes requests in order of arrival.
 */
final class Embedder implements AutoCloseable {
    private static final int PASS_TOKENS = 4096;

    private final EncoderModel model;
    private final ThreadPoolExecutor thread;

    /** @param maxQueue requests that may wait */
    Embedder(EncoderModel model, int maxQueue) {
        this.model = model;
        MixedOverlay.attach(model);
        thread = new ThreadPoolExecutor(
                1,
                1,
                0,
                TimeUnit.SECONDS,
                new ArrayBlockingQueue<>(maxQueue),
                Thread.ofPlatform().name("lorica-embedder").factory());
    }

    int size() {
        return model.hiddenSize();
    }

    int contextLength() {
        return model.contextLength();
    }

    int vocabularySize() {
        return model.vocabularySize();
    }

    /**
     * One vector of length 1 for each text.
     *
     * @param texts token ids, each within the model's context
     * @param blend adapters that act on all of them; they must stay loaded meanwhile
     */
    List<float[]> embed(List<long[]> texts, Blend blend) throws InterruptedException {
        try {
            Future<List<float[]>> vectors = thread.submit(() -> compute(texts, blend));
            return vectors.get();
        } catch (RejectedExecutionException e) {
            throw new LoricaException.Busy("too many requests are waiting already; try again later");
        } catch (ExecutionException e) {
            throw e.getCause() instanceof LoricaException known
                    ? known
                    : new LoricaException.Internal("the encoder failed: " + e.getCause(), e);
        }
    }

    private List<float[]> compute(List<long[]> texts, Blend blend) {
        List<float[]> vectors = new ArrayList<>();
        int from = 0;
        while (from < texts.size()) {
            int to = from;
            for (int tokens = 0;
                    to < texts.size() && (to == from || tokens + texts.get(to).length <= PASS_TOKENS);
                    to++) {
                tokens += texts.get(to).length;
            }
            vectors.addAll(pass(texts.subList(from, to), blend));
            from = to;
        }
        return vectors;
    }

    private List<float[]> pass(List<long[]> texts, Blend blend) {
        try (Scope _ = Scope.open();
                Grad _ = Grad.disabled()) {
            Batch batch = Batch.of(texts);
            Pass pass = Pass.inference()
                    .with(Rows.of(batch.lengths(), Collections.nCopies(texts.size(), blend), null, null));
            float[] hidden = Tensors.floats(Tensors.to(model.hidden(batch, pass), DType.F32));
            List<float[]> vectors = new ArrayList<>();
            int row = 0;
            for (long[] text : texts) {
                vectors.add(mean(hidden, row, text.length, model.hiddenSize()));
                row += text.length;
            }
            return vectors;
        }
    }

    private static float[] mean(float[] hidden, int row, int count, int size) {
        double[] sum = new double[size];
        for (int i = row; i < row + count; i++) {
            for (int j = 0; j < size; j++) {
                sum[j] += hidden[i * size + j];
            }
        }
        double norm = 0;
        for (double value : sum) {
            norm += value * value;
        }
        float[] vector = new float[size];
        for (int j = 0; j < size; j++) {
            vector[j] = (float) (sum[j] / Math.sqrt(norm)); // the number of tokens cancels out
        }
        return vector;
    }

    @Override
    public void close() {
        thread.close();
        MixedOverlay.detach(model);
    }
}
