package io.lorica.model;

import io.lorica.tensor.TensorSource;
import java.util.Collections;
import java.util.LinkedHashSet;
import java.util.Map;
import java.util.SequencedSet;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.jspecify.annotations.Nullable;

/**
 * One rank's weights, cut from a whole model that stays open. Outputs and whole weights are views; inputs are copied, since
 * products read rows that lie together faster. The bias of a map cut by its inputs is added once, by the first rank.
 */
final class ShardSource implements TensorSource {
    private final BaseModel whole;
    private final Shard shard;

    ShardSource(BaseModel whole, Shard shard) {
        this.whole = whole;
        this.shard = shard;
    }

    @Override
    public Map<String, String> metadata() {
        return Map.of();
    }

    @Override
    public SequencedSet<String> names() {
        return Collections.unmodifiableSequencedSet(
                new LinkedHashSet<>(whole.parameters().keySet()));
    }

    @Override
    public TensorInfo info(String name) {
        Parameter parameter = parameter(name);
        long[] shape = parameter.shape();
        Shard.Span span = span(name);
        if (span != null && span.side() == Shard.Side.OUT) {
            shape[0] = span.size();
        } else if (span != null && shape.length == 2) {
            shape[1] = span.size();
        }
        return new TensorInfo(parameter.dtype().name(), shape, 0);
    }

    @Override
    public Tensor read(String name) {
        Tensor value = parameter(name).frozen();
        Shard.Span span = span(name);
        if (span == null) {
            return value.alias();
        }
        if (span.side() == Shard.Side.OUT) {
            return value.narrow(0, span.from(), span.size());
        }
        if (value.dim() == 2) {
            return value.narrow(1, span.from(), span.size()).contiguous();
        }
        return shard.rank() == 0 ? value.alias() : torch.zeros_like(value);
    }

    private Parameter parameter(String name) {
        Parameter parameter = whole.parameters().get(name);
        if (parameter == null) {
            throw new IllegalArgumentException(name);
        }
        return parameter;
    }

    private Shard.@Nullable Span span(String name) {
        return shard.span(name.substring(0, name.lastIndexOf('.')));
    }

    /** Leaves the whole model to its owner. */
    @Override
    public void close() {}
}
