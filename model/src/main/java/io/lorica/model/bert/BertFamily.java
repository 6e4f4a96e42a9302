package io.lorica.model.bert;

import io.lorica.model.BaseModel;
import io.lorica.model.ModelConfig;
import io.lorica.model.ModelFamily;
import io.lorica.model.RenamedTensors;
import io.lorica.model.Weights;
import io.lorica.tensor.TensorSource;
import java.util.LinkedHashMap;
import java.util.SequencedMap;
import java.util.Set;

/** Reads {@code bert} and {@code roberta} checkpoints, with a head where {@code architectures} names a classifier. */
public final class BertFamily implements ModelFamily {

    @Override
    public Set<String> modelTypes() {
        return Set.of("bert", "roberta");
    }

    /**
     * A checkpoint may have been saved from the bare encoder or from one with a head, which puts {@code bert.} or
     * {@code roberta.} before the encoder's names; the oldest ones call a norm's weight and bias gamma and beta.
     */
    @Override
    public TensorSource named(ModelConfig config, TensorSource source) {
        String own = config.modelType() + ".";
        String prefix = config.labels().isPresent() ? own : "";
        return new RenamedTensors(source, name -> {
            String bare = name.startsWith(own) ? name.substring(own.length()) : name;
            String modern =
                    bare.replace("LayerNorm.gamma", "LayerNorm.weight").replace("LayerNorm.beta", "LayerNorm.bias");
            return modern.matches("(embeddings|encoder|pooler)\\..*") ? prefix + modern : modern;
        });
    }

    @Override
    public BaseModel build(ModelConfig source, Weights weights) {
        BertConfig config = BertConfig.from(source);
        BertModel model;
        if (config.labels() > 0) {
            model = new BertClassifier(source, config, weights);
        } else {
            model = new BertModel(source, config, weights);
            weights.ignore("(classifier|score)\\..*", "the head of another task");
        }
        weights.finish(source.where());
        return model;
    }

    /**
     * BERT's head is one map on the pooler. A checkpoint without the pooler is refused: a fresh one would be part of the
     * base, which no adapter file holds, so that a trained adapter would compute something else on the next load.
     */
    @Override
    public SequencedMap<String, long[]> classificationHead(ModelConfig config, int labels) {
        long hidden = config.integer("hidden_size");
        SequencedMap<String, long[]> head = new LinkedHashMap<>();
        boolean roberta = config.modelType().equals("roberta");
        String out = roberta ? "classifier.out_proj" : "classifier";
        if (roberta) {
            head.put("classifier.dense.weight", new long[] {hidden, hidden});
            head.put("classifier.dense.bias", new long[] {hidden});
        }
        head.put(out + ".weight", new long[] {labels, hidden});
        head.put(out + ".bias", new long[] {labels});
        return head;
    }
}
