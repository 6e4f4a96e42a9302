package io.lorica.model;

import io.lorica.tensor.Grad;
import io.lorica.tensor.LoricaException;
import io.lorica.tensor.Scope;
import java.util.ArrayList;
import java.util.List;
import org.bytedeco.pytorch.Tensor;

/** Target texts of an {@link EncoderDecoderModel}, each token the most likely one, with caches for source and target. */
public final class SourceGenerator {
    private SourceGenerator() {}

    /**
     * @param source token ids, special tokens included
     * @param maxTokens at most so many
     * @return the target's tokens without the start token; the end token is the last where the model gave one
     */
    public static long[] greedy(EncoderDecoderModel model, long[] source, int maxTokens) {
        if (source.length == 0) {
            throw new LoricaException.BadInput("the source has no tokens; give it text");
        }
        try (Grad _ = Grad.disabled();
                Scope _ = Scope.open();
                KvCache sourceCache = model.newCache(1);
                KvCache targetCache = model.newCache(1)) {
            Batch batch = Batch.of(List.of(source), sourceCache);
            Tensor encoded = model.encode(batch, Pass.inference());
            List<Long> target = new ArrayList<>();
            long last = model.startToken();
            while (target.size() < maxTokens && (target.isEmpty() || last != model.endToken())) {
                last = next(model, encoded, batch, targetCache, last);
                target.add(last);
            }
            return target.stream().mapToLong(Long::longValue).toArray();
        }
    }

    private static long next(EncoderDecoderModel model, Tensor encoded, Batch source, KvCache cache, long last) {
        try (Scope _ = Scope.open()) {
            Batch step = Batch.of(List.of(new long[] {last}), cache);
            Tensor hidden = model.decode(encoded, source, step, Pass.inference());
            return model.head().forward(hidden, Pass.inference()).argmax().item_long();
        }
    }
}
