package io.lorica.model.gpt2;

import io.lorica.model.AttentionDropout;
import io.lorica.model.Batch;
import io.lorica.model.Block;
import io.lorica.model.CausalAttention;
import io.lorica.model.LayerNorm;
import io.lorica.model.Linear;
import io.lorica.model.Pass;
import io.lorica.model.Weights;
import io.lorica.tensor.Scope;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;

/**
 * One GPT-2 layer (Radford et al. 2019, section 2.3):
 *
 * <pre>
 * h = x + dropout(attn.c_proj(attention(q, k, v)))     q, k, v = thirds of attn.c_attn(ln_1(x))
 * y = h + dropout(mlp.c_proj(act(mlp.c_fc(ln_2(h)))))
 * </pre>
 *
 * with dropout of the attention weights too ({@code attn_pdrop}), all in training only.
 */
final class Gpt2Block implements Block {
    private final int layer;
    private final Gpt2Config config;
    private final String name;
    private final CausalAttention attention;
    private final LayerNorm norm1;
    private final Linear qkv;
    private final Linear attentionOut;
    private final LayerNorm norm2;
    private final Linear up;
    private final Linear down;

    Gpt2Block(int layer, Gpt2Config config, Weights weights) {
        this.layer = layer;
        this.config = config;
        name = "transformer.h." + layer;
        long hidden = config.hiddenSize();
        attention = new CausalAttention(config.heads(), config.heads(), config.headDim(), 0);
        norm1 = LayerNorm.of(weights, name + ".ln_1", hidden, config.eps());
        qkv = weights.conv1d(name + ".attn.c_attn", 3 * hidden, hidden);
        attentionOut = weights.conv1d(name + ".attn.c_proj", hidden, hidden);
        norm2 = LayerNorm.of(weights, name + ".ln_2", hidden, config.eps());
        up = weights.conv1d(name + ".mlp.c_fc", config.innerSize(), hidden);
        down = weights.conv1d(name + ".mlp.c_proj", hidden, config.innerSize());
    }

    @Override
    public Tensor forward(Tensor hidden, Batch batch, Pass pass) {
        try (Scope scope = Scope.open()) {
            Tensor attended = attend(norm1.forward(hidden), batch, pass);
            Tensor middle = hidden.add(pass.dropout(attended, config.residualDropout(), name + ".attn"));
            Tensor wide = config.activation().apply(up.forward(norm2.forward(middle), pass));
            Tensor fed = down.forward(wide, pass);
            return scope.keep(middle.add(pass.dropout(fed, config.residualDropout(), name + ".mlp")));
        }
    }

    private Tensor attend(Tensor x, Batch batch, Pass pass) {
        long width = config.hiddenSize();
        Tensor joint = qkv.forward(x, pass);
        Tensor q = scale(joint.narrow(1, 0, width));
        Tensor k = joint.narrow(1, width, width);
        Tensor v = joint.narrow(1, 2 * width, width);
        AttentionDropout dropout = new AttentionDropout(config.attentionDropout(), name + ".attn.weights", pass);
        return attentionOut.forward(attention.forward(q, k, v, batch, layer, dropout), pass);
    }

    /** What the configuration changes about the {@code 1 / sqrt(headDim)} that attention applies. */
    private Tensor scale(Tensor q) {
        double factor = (config.scaled() ? 1 : Math.sqrt(config.headDim())) / (config.scaledByLayer() ? layer + 1 : 1);
        if (factor == 1) {
            return q;
        }
        try (Scalar scalar = new Scalar(factor)) {
            return q.mul(scalar);
        }
    }
}
