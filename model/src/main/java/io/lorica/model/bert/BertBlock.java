package io.lorica.model.bert;

import io.lorica.model.Batch;
import io.lorica.model.BidirectionalAttention;
import io.lorica.model.Block;
import io.lorica.model.LayerNorm;
import io.lorica.model.Linear;
import io.lorica.model.Pass;
import io.lorica.model.Weights;
import io.lorica.tensor.Scope;
import org.bytedeco.pytorch.Tensor;

/**
 * One BERT layer, normalised after each residual sum (Devlin et al. 2019; Vaswani et al. 2017, section 3.1):
 *
 * <pre>
 * h = norm(x + dropout(attention.output.dense(attention(query(x), key(x), value(x)))))
 * y = norm(h + dropout(output.dense(act(intermediate.dense(h)))))
 * </pre>
 */
final class BertBlock implements Block {
    private final String name;
    private final BertConfig config;
    private final BidirectionalAttention attention;
    private final Linear query;
    private final Linear key;
    private final Linear value;
    private final Linear attentionOut;
    private final LayerNorm attentionNorm;
    private final Linear up;
    private final Linear down;
    private final LayerNorm norm;

    BertBlock(int layer, BertConfig config, Weights weights) {
        this.config = config;
        name = config.prefix() + "encoder.layer." + layer;
        long hidden = config.hiddenSize();
        String self = name + ".attention.self";
        attention = new BidirectionalAttention(self, config.heads(), config.headDim(), config.attentionDropout());
        query = weights.linear(self + ".query", hidden, hidden, true);
        key = weights.linear(self + ".key", hidden, hidden, true);
        value = weights.linear(self + ".value", hidden, hidden, true);
        attentionOut = weights.linear(name + ".attention.output.dense", hidden, hidden, true);
        attentionNorm = LayerNorm.of(weights, name + ".attention.output.LayerNorm", hidden, config.eps());
        up = weights.linear(name + ".intermediate.dense", config.innerSize(), hidden, true);
        down = weights.linear(name + ".output.dense", hidden, config.innerSize(), true);
        norm = LayerNorm.of(weights, name + ".output.LayerNorm", hidden, config.eps());
    }

    @Override
    public Tensor forward(Tensor hidden, Batch batch, Pass pass) {
        try (Scope scope = Scope.open()) {
            Tensor mixed = attention.forward(
                    query.forward(hidden, pass), key.forward(hidden, pass), value.forward(hidden, pass), batch, pass);
            Tensor attended = drop(attentionOut.forward(mixed, pass), ".attention.output", pass);
            Tensor middle = attentionNorm.forward(hidden.add(attended));
            Tensor wide = config.activation().apply(up.forward(middle, pass));
            Tensor fed = drop(down.forward(wide, pass), ".output", pass);
            return scope.keep(norm.forward(middle.add(fed)));
        }
    }

    private Tensor drop(Tensor x, String module, Pass pass) {
        return pass.dropout(x, config.hiddenDropout(), name + module);
    }
}
