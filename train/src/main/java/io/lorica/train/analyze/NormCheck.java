package io.lorica.train.analyze;

import io.lorica.model.AttentionObserver;
import io.lorica.model.Batch;
import io.lorica.model.Pass;
import io.lorica.model.Transformer;
import io.lorica.tensor.DType;
import io.lorica.tensor.Grad;
import io.lorica.tensor.LoricaException;
import io.lorica.tensor.Scope;
import io.lorica.tensor.Tensors;
import io.lorica.train.data.Example;
import java.util.ArrayList;
import java.util.List;
import java.util.function.IntConsumer;
import org.bytedeco.pytorch.Tensor;

/** Reads the norms of every attention head off forward passes, whatever adapters act on the model. */
public final class NormCheck {
    private NormCheck() {}

    /**
     * One forward pass for each sequence.
     *
     * @param examples each of at least 2 tokens: the threshold of one token is 0
     * @param done receives the number of sequences finished so far
     * @return for each sequence every head in the order of the layers
     * @throws LoricaException.Unsupported where the model's attention is not seen by an {@link AttentionObserver}
     */
    public static List<List<HeadNorms>> of(Transformer model, List<Example> examples, IntConsumer done) {
        List<List<HeadNorms>> all = new ArrayList<>();
        for (Example example : examples) {
            if (example.length() < 2) {
                throw new LoricaException.BadInput("sequence " + all.size() + " has " + example.length()
                        + " token, but norms are compared with sqrt(ln L), which needs 2 or more; leave it out");
            }
            List<HeadNorms> heads = new ArrayList<>();
            try (Scope _ = Scope.open();
                    Grad _ = Grad.disabled()) {
                Batch batch = Example.batch(List.of(example)).observedBy(layer -> heads.addAll(norms(layer)));
                model.hidden(batch, Pass.inference());
            }
            if (heads.isEmpty()) {
                throw new LoricaException.Unsupported("the attention of a "
                        + model.config().modelType() + " model is not measured; use a Llama, GPT-2 or BERT model");
            }
            all.add(heads);
            done.accept(all.size());
        }
        return all;
    }

    static List<HeadNorms> norms(AttentionObserver.Operands layer) {
        int length = Math.toIntExact(layer.q().size(0));
        try (Scope _ = Scope.open()) {
            Tensor q = byHead(layer.q(), layer.heads());
            Tensor k = byHead(layer.k(), layer.keyHeads());
            float[] gQ = largestEntries(q);
            float[] gK = largestEntries(k);
            float[] gV = largestEntries(byHead(layer.v(), layer.keyHeads()));
            float[] lengthQ = largestRows(q);
            float[] lengthK = largestRows(k);
            List<HeadNorms> norms = new ArrayList<>();
            int group = layer.heads() / layer.keyHeads();
            for (int head = 0; head < layer.heads(); head++) {
                int key = head / group;
                double bound = lengthQ[head] * (double) lengthK[key] / Math.sqrt(layer.headDim());
                norms.add(
                        new HeadNorms(layer.layer(), head, length, layer.headDim(), gQ[head], gK[key], gV[key], bound));
            }
            return norms;
        }
    }

    private static Tensor byHead(Tensor rows, int heads) {
        return Tensors.to(rows, DType.F32).reshape(rows.size(0), heads, -1);
    }

    private static float[] largestEntries(Tensor byHead) {
        return Tensors.floats(byHead.abs().amax(new long[] {0, 2}, false));
    }

    private static float[] largestRows(Tensor byHead) {
        return Tensors.floats(
                byHead.square().sum(new long[] {2}, false, null).sqrt().amax(new long[] {0}, false));
    }
}
