package io.lorica.model.llama;

import com.fasterxml.jackson.databind.node.ObjectNode;
import io.lorica.model.ModelConfig;
import io.lorica.model.Shard;
import io.lorica.model.Shard.Side;
import io.lorica.model.Shard.Span;
import io.lorica.tensor.LoricaException;
import java.util.Map;

/**
 * A rank's part of a Llama: whole key heads with the query heads that read them, and some of the wide layer. Where the
 * heads do not divide, the first ranks have one more; the sums over the ranks do not mind.
 */
final class LlamaShard {
    private LlamaShard() {}

    static Shard of(ModelConfig source, int rank, int ranks) {
        LlamaConfig config = LlamaConfig.from(source);
        if (ranks > config.keyHeads()) {
            throw new LoricaException.BadInput(source.where() + ": " + config.keyHeads()
                    + " key heads cannot be split among " + ranks + " ranks; use at most as many ranks as key heads");
        }
        Span heads = Span.even(Side.OUT, config.keyHeads(), rank, ranks);
        Span keys = heads.times(config.headDim());
        int group = config.heads() / config.keyHeads();
        Span queries = keys.times(group);
        Span wide = Span.even(Side.OUT, config.intermediateSize(), rank, ranks);
        ObjectNode part = source.json().deepCopy();
        part.put("head_dim", config.headDim())
                .put("num_attention_heads", heads.size() * group)
                .put("num_key_value_heads", heads.size())
                .put("intermediate_size", wide.size());
        return new Shard(
                rank,
                ranks,
                new ModelConfig(part, source.where()),
                Map.of(
                        "q_proj", queries,
                        "k_proj", keys,
                        "v_proj", keys,
                        "o_proj", queries.on(Side.IN),
                        "gate_proj", wide,
                        "up_proj", wide,
                        "down_proj", wide.on(Side.IN)));
    }
}
