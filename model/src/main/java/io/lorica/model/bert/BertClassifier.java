package io.lorica.model.bert;

import io.lorica.model.Batch;
import io.lorica.model.ClassifierModel;
import io.lorica.model.Linear;
import io.lorica.model.ModelConfig;
import io.lorica.model.Pass;
import io.lorica.model.Weights;
import io.lorica.tensor.Scope;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/**
 * An encoder with a classification or regression head on each sequence's first token {@code h}:
 *
 * <pre>
 * BERT      classifier(dropout(tanh(pooler.dense(h))))
 * RoBERTa   classifier.out_proj(dropout(tanh(classifier.dense(dropout(h)))))
 * </pre>
 */
final class BertClassifier extends BertModel implements ClassifierModel {
    private final BertConfig config;
    private final @Nullable Linear dense;
    private final Linear out;

    BertClassifier(ModelConfig source, BertConfig config, Weights weights) {
        super(source, config, weights);
        this.config = config;
        long hidden = config.hiddenSize();
        if (config.roberta()) {
            dense = weights.linear("classifier.dense", hidden, hidden, true);
            out = weights.linear("classifier.out_proj", config.labels(), hidden, true);
            weights.ignore("roberta\\.pooler\\..*", "RoBERTa's classification head does not use the pooler");
        } else {
            dense = null;
            out = weights.linear("classifier", config.labels(), hidden, true);
        }
    }

    @Override
    public Tensor classify(Tensor hidden, Batch batch, Pass pass) {
        try (Scope scope = Scope.open()) {
            Tensor pooled;
            if (dense == null) {
                pooled = pool(hidden, batch, pass);
            } else {
                Tensor first = drop(firstTokens(hidden, batch), "classifier", pass);
                pooled = dense.forward(first, pass).tanh();
            }
            return scope.keep(out.forward(drop(pooled, "classifier.out", pass), pass));
        }
    }

    private Tensor drop(Tensor x, String stream, Pass pass) {
        return pass.dropout(x, config.classifierDropout(), stream);
    }

    @Override
    public int labels() {
        return config.labels();
    }

    @Override
    public String outputHead() {
        return "classifier";
    }
}
