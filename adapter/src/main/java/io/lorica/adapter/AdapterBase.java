package io.lorica.adapter;

import io.lorica.model.ModelStore;
import io.lorica.model.Pretrained;
import io.lorica.model.WeightFormat;
import io.lorica.tensor.DType;
import io.lorica.tensor.LoricaException;
import io.lorica.tensor.SafetensorsFile;
import io.lorica.tensor.Seed;
import io.lorica.tensor.TensorSource;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;

/** Opens the base model that an adapter needs: for a classifier's, the same model with a score head. */
public final class AdapterBase {
    private AdapterBase() {}

    /**
     * @param adapter directory of an adapter; where its {@code task_type} is {@code SEQ_CLS} the model is opened with as
     *     many scores as the adapter's head has, under the names that {@code lorica.json} holds
     */
    public static Pretrained open(ModelStore store, String reference, DType dtype, Path adapter) {
        return open(store, reference, dtype, WeightFormat.DENSE, adapter);
    }

    /**
     * @param format how a language model's weights are held
     * @throws LoricaException.Unsupported for a classifier's that are not to be dense
     */
    public static Pretrained open(ModelStore store, String reference, DType dtype, WeightFormat format, Path adapter) {
        AdapterConfig config = AdapterConfig.read(adapter);
        if (!AdapterConfig.CLASSIFIER.equals(config.taskType())) {
            return store.open(reference, dtype, format);
        }
        requireDense(format);
        int scores = scores(adapter.resolve(AdapterFiles.WEIGHTS));
        Optional<Provenance> provenance = Provenance.read(adapter);
        Seed seed = headSeed(provenance.map(Provenance::seed).orElse(0L));
        List<String> names = provenance.map(Provenance::labels).orElse(List.of());
        return names.size() == scores
                ? store.openClassifier(reference, dtype, names, seed)
                : store.openClassifier(reference, dtype, scores, seed);
    }

    /**
     * The stream from which a fresh head is drawn. The frozen head is never used once an adapter brings its own, but the
     * self-test compares the base as well.
     *
     * @param run the run's seed
     */
    public static Seed headSeed(long run) {
        return new Seed(run).of("head");
    }

    /** A classifier's base is held dense. */
    public static void requireDense(WeightFormat format) {
        if (!format.equals(WeightFormat.DENSE)) {
            throw new LoricaException.Unsupported(
                    "the base of a classifier cannot be held as " + format + "; leave --weights out");
        }
    }

    private static int scores(Path weights) {
        try (TensorSource source = SafetensorsFile.open(weights)) {
            return source.names().stream()
                    .filter(name -> name.matches(".*\\.(score|classifier|classifier\\.out_proj)\\.weight"))
                    .mapToInt(name -> Math.toIntExact(source.info(name).shape()[0]))
                    .findFirst()
                    .orElseThrow(() -> new LoricaException.Incompatible(
                            weights + ": task_type is SEQ_CLS, but there is no tensor of a head (score.weight,"
                                    + " classifier.weight or classifier.out_proj.weight); train it with the head in"
                                    + " modules_to_save"));
        }
    }
}
