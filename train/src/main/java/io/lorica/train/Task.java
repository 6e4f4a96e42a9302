package io.lorica.train;

import io.lorica.adapter.AdapterBase;
import io.lorica.adapter.AdapterConfig;
import io.lorica.model.ModelStore;
import io.lorica.model.Pretrained;
import io.lorica.model.Transformer;
import io.lorica.tensor.LoricaException;
import io.lorica.tensor.Names;
import io.lorica.train.data.DataSet;
import io.lorica.train.data.Example;
import io.lorica.train.data.ExampleReader;
import io.lorica.train.data.Labels;
import io.lorica.train.data.Rows;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * What a run trains: a language model, or a classifier. The data say which, rows with a label train a classifier; a
 * {@code task_type} that says otherwise is refused.
 *
 * @param labels of a classifier, taken from the training rows; empty for a language model
 */
record Task(Optional<Labels> labels) {
    private static final List<String> TYPES = List.of(AdapterConfig.LANGUAGE, AdapterConfig.CLASSIFIER);

    /** @param stated {@code task_type} as the settings give it, null where they do not */
    static Task of(FineTune.Spec spec, @Nullable String stated) {
        if (stated != null && !TYPES.contains(stated)) {
            throw new LoricaException.Unsupported("task_type '" + stated + "' cannot be trained"
                    + Names.didYouMean(stated, TYPES) + " (known: " + String.join(", ", TYPES) + ")");
        }
        Task task = new Task(ExampleReader.labels(spec.data(), spec.columns()));
        if (stated != null && !stated.equals(task.type())) {
            throw new LoricaException.BadInput(spec.data() + ": task_type is " + stated + ", but the rows have "
                    + (task.labels.isPresent()
                            ? "a label; to learn their text, name its column alone (text_column)"
                            : "no label; name the columns (text_column, label_column)"));
        }
        task.labels.ifPresent(labels -> {
            if (labels.names().size() == 1) {
                throw new LoricaException.BadInput(spec.data() + ": every row has the label '"
                        + labels.names().getFirst() + "', so there is nothing to tell apart; add rows of other labels");
            }
        });
        return task;
    }

    String type() {
        return labels.isPresent() ? AdapterConfig.CLASSIFIER : AdapterConfig.LANGUAGE;
    }

    /** The base, with a fresh head for these labels where it has none. */
    Pretrained open(ModelStore store, FineTune.Spec spec) {
        TrainConfig training = spec.training();
        if (labels.isEmpty()) {
            return store.open(spec.model(), training.dtype(), training.weights());
        }
        AdapterBase.requireDense(training.weights());
        return store.openClassifier(
                spec.model(), training.dtype(), labels.get().scores(), AdapterBase.headSeed(training.seed()));
    }

    /** Held-out rows of their own, by the training rows' labels. */
    List<Example> heldOut(ExampleReader reader, Path file) {
        DataSet data = reader.read(Rows.of(file), labels);
        if (data.labels().isPresent() != labels.isPresent()) {
            throw new LoricaException.BadInput(file + ": the held-out rows have "
                    + (labels.isPresent()
                            ? "no label, but the training rows have one"
                            : "a label, but the training rows have none")
                    + "; give both files the same columns");
        }
        return data.examples();
    }

    /** The model to train, which must be of this kind. */
    Transformer model(Pretrained base) {
        return labels.isPresent() ? base.classifier() : base.causal();
    }
}
