package io.lorica.model.llama;

import io.lorica.model.Batch;
import io.lorica.model.Block;
import io.lorica.model.CausalAttention;
import io.lorica.model.FeedForward;
import io.lorica.model.Linear;
import io.lorica.model.Pass;
import io.lorica.model.RmsNorm;
import io.lorica.model.Weights;
import io.lorica.tensor.DType;
import io.lorica.tensor.Scope;
import io.lorica.tensor.fused.RotaryOp;
import org.bytedeco.pytorch.Tensor;

/**
 * One Llama layer:
 *
 * <pre>
 * h = x + o_proj(attention(rotate(q_proj(n1)), rotate(k_proj(n1)), v_proj(n1)))     n1 = input_layernorm(x)
 * y = h + down_proj(silu(gate_proj(n2)) * up_proj(n2))                              n2 = post_attention_layernorm(h)
 * </pre>
 */
final class LlamaBlock implements Block {
    private final int layer;
    private final LlamaConfig config;
    private final CausalAttention attention;
    private final RmsNorm inputNorm;
    private final RmsNorm postAttentionNorm;
    private final Linear qProj;
    private final Linear kProj;
    private final Linear vProj;
    private final Linear oProj;
    private final FeedForward mlp;

    LlamaBlock(int layer, LlamaConfig config, Weights weights) {
        this.layer = layer;
        this.config = config;
        long hidden = config.hiddenSize();
        long wide = config.intermediateSize();
        long queries = (long) config.heads() * config.headDim();
        long keys = (long) config.keyHeads() * config.headDim();
        String at = "model.layers." + layer + ".";
        attention = new CausalAttention(
                config.heads(),
                config.keyHeads(),
                config.headDim(),
                config.windows().get(layer));
        inputNorm = RmsNorm.of(weights, at + "input_layernorm", hidden, config.rmsNormEps());
        qProj = weights.linear(at + "self_attn.q_proj", queries, hidden, config.attentionBias());
        kProj = weights.linear(at + "self_attn.k_proj", keys, hidden, config.attentionBias());
        vProj = weights.linear(at + "self_attn.v_proj", keys, hidden, config.attentionBias());
        oProj = weights.linear(at + "self_attn.o_proj", hidden, queries, config.outputBias());
        postAttentionNorm = RmsNorm.of(weights, at + "post_attention_layernorm", hidden, config.rmsNormEps());
        mlp = new FeedForward(
                weights.linear(at + "mlp.gate_proj", wide, hidden, config.mlpBias()),
                weights.linear(at + "mlp.up_proj", wide, hidden, config.mlpBias()),
                weights.linear(at + "mlp.down_proj", hidden, wide, config.mlpBias()));
    }

    @Override
    public Tensor forward(Tensor hidden, Batch batch, Pass pass) {
        try (Scope scope = Scope.open()) {
            Tensor afterAttention = hidden.add(attend(inputNorm.forward(hidden), batch, pass));
            Tensor normal = postAttentionNorm.forward(afterAttention);
            return scope.keep(afterAttention.add(mlp.forward(normal, pass)));
        }
    }

    FeedForward mlp() {
        return mlp;
    }

    private Tensor attend(Tensor x, Batch batch, Pass pass) {
        RotaryOp.Angles angles = config.rotary().angles(batch.positions(), DType.of(x));
        Tensor q = RotaryOp.apply(qProj.forward(x, pass), config.heads(), angles);
        Tensor k = RotaryOp.apply(kProj.forward(x, pass), config.keyHeads(), angles);
        Tensor v = vProj.forward(x, pass);
        return oProj.forward(attention.forward(q, k, v, batch, layer), pass);
    }
}
