package io.lorica.model.t5;

import io.lorica.model.Batch;
import io.lorica.model.KvCache;
import io.lorica.model.Linear;
import io.lorica.model.Pass;
import io.lorica.model.Weights;
import io.lorica.tensor.Scope;
import java.util.ArrayList;
import java.util.List;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorVector;
import org.bytedeco.pytorch.global.torch;
import org.jspecify.annotations.Nullable;

/**
 * T5's attention: {@code o(dropout(softmax(q k^T + bias)) v)}, without biases in its maps and without a factor on the
 * scores.
 */
final class T5Attention {
    private final String name;
    private final int layer;
    private final T5Config config;
    private final Linear q;
    private final Linear k;
    private final Linear v;
    private final Linear o;

    /** @param layer index into caches */
    T5Attention(String name, int layer, T5Config config, Weights weights) {
        this.name = name;
        this.layer = layer;
        this.config = config;
        long wide = (long) config.heads() * config.headDim();
        q = weights.linear(name + ".q", wide, config.hidden(), false);
        k = weights.linear(name + ".k", wide, config.hidden(), false);
        v = weights.linear(name + ".v", wide, config.hidden(), false);
        o = weights.linear(name + ".o", config.hidden(), wide, false);
    }

    /** Of each sequence to itself, and to what its cache holds. */
    Tensor self(Tensor x, Batch batch, List<Tensor> bias, Pass pass) {
        try (Scope scope = Scope.open()) {
            Tensor queries = q.forward(x, pass);
            Tensor keys = k.forward(x, pass);
            Tensor values = v.forward(x, pass);
            List<Tensor> outputs = new ArrayList<>();
            int at = 0;
            for (int i = 0; i < batch.size(); i++) {
                int length = batch.lengths()[i];
                Tensor seen = keys.narrow(0, at, length);
                Tensor read = values.narrow(0, at, length);
                KvCache cache = batch.cache();
                if (cache != null) {
                    cache.append(i, layer, seen, read);
                    seen = cache.keys(i, layer, cache.length(i) + length);
                    read = cache.values(i, layer, cache.length(i) + length);
                }
                outputs.add(attend(queries.narrow(0, at, length), seen, read, bias.get(i), pass, i));
                at += length;
            }
            return scope.keep(o.forward(joined(outputs), pass));
        }
    }

    /** Of each target to its source. */
    Tensor cross(Tensor x, Batch target, Tensor encoded, Batch source, Pass pass) {
        try (Scope scope = Scope.open()) {
            Tensor queries = q.forward(x, pass);
            KvCache cache = source.cache();
            boolean cached = cache != null && cache.length(0) > 0;
            Tensor keys = cached ? encoded : k.forward(encoded, pass);
            Tensor values = cached ? encoded : v.forward(encoded, pass);
            List<Tensor> outputs = new ArrayList<>();
            int at = 0;
            int from = 0;
            for (int i = 0; i < target.size(); i++) {
                int length = source.lengths()[i];
                Tensor seen = keys.narrow(0, from, length);
                Tensor read = values.narrow(0, from, length);
                if (cache != null) {
                    if (!cached) {
                        cache.append(i, layer, seen, read);
                    }
                    seen = cache.keys(i, layer, length);
                    read = cache.values(i, layer, length);
                }
                outputs.add(attend(queries.narrow(0, at, target.lengths()[i]), seen, read, null, pass, i));
                at += target.lengths()[i];
                from += length;
            }
            return scope.keep(o.forward(joined(outputs), pass));
        }
    }

    /** {@code q: [n, heads * d]}, {@code k, v: [m, heads * d]}, {@code bias: [heads, n, m]} to {@code [n, heads * d]}. */
    private Tensor attend(Tensor q, Tensor k, Tensor v, @Nullable Tensor bias, Pass pass, int sequence) {
        Tensor scores = torch.bmm(split(q), split(k).transpose(1, 2));
        Tensor shifted = bias == null ? scores : scores.add(bias);
        Tensor weights = pass.dropout(torch.softmax(shifted, -1), config.dropout(), name + "#" + sequence);
        return torch.bmm(weights, split(v)).transpose(0, 1).reshape(q.size(0), q.size(1));
    }

    /** {@code [n, heads * d]} to {@code [heads, n, d]}. */
    private Tensor split(Tensor x) {
        return x.view(x.size(0), config.heads(), config.headDim()).transpose(0, 1);
    }

    private static Tensor joined(List<Tensor> parts) {
        return parts.size() == 1 ? parts.getFirst() : torch.cat(new TensorVector(parts.toArray(Tensor[]::new)), 0);
    }
}
