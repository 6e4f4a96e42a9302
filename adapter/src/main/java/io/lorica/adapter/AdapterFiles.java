package io.lorica.adapter;

import io.lorica.model.BaseModel;
import io.lorica.model.RenamedTensors;
import io.lorica.model.Site;
import io.lorica.tensor.DType;
import io.lorica.tensor.Grad;
import io.lorica.tensor.LoricaException;
import io.lorica.tensor.SafetensorsFile;
import io.lorica.tensor.Scope;
import io.lorica.tensor.Seed;
import io.lorica.tensor.TensorSource;
import io.lorica.tensor.Tensors;
import io.lorica.tensor.fused.Finite;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SequencedMap;
import java.util.Set;
import java.util.TreeMap;
import java.util.stream.Stream;
import org.bytedeco.pytorch.Tensor;

/** An adapter's directory, as PEFT writes it. */
final class AdapterFiles {
    static final String WEIGHTS = "adapter_model.safetensors";

    private AdapterFiles() {}

    static void save(Adapter adapter, Path directory) {
        try (Scope _ = Scope.open();
                Grad _ = Grad.disabled()) {
            SequencedMap<String, Tensor> sorted = new LinkedHashMap<>();
            new TreeMap<>(adapter.saved())
                    .forEach((key, tensor) -> sorted.put(
                            adapter.fileKeys().toFile(key), tensor.detach().contiguous()));
            AdapterConfig config = savedConfig(adapter);
            config.withSettings(config.method().saving(config.settings(), adapter.shared()))
                    .write(directory);
            SafetensorsFile.write(directory.resolve(WEIGHTS), sorted, Map.of("format", "pt"));
        }
    }

    /** A site that saves nothing is not among the targets, but where all share what is saved. */
    private static AdapterConfig savedConfig(Adapter adapter) {
        if (!adapter.shared().saved().isEmpty()) {
            return adapter.config();
        }
        List<String> saving = adapter.sites().entrySet().stream()
                .filter(entry -> !entry.getValue().saved().isEmpty())
                .map(Map.Entry::getKey)
                .toList();
        return saving.size() == adapter.sites().size()
                ? adapter.config()
                : adapter.config().withTargets(TargetSpec.exactly(saving));
    }

    static Adapter load(BaseModel model, Path directory, LoadOptions options) {
        AdapterConfig config = AdapterConfig.read(directory);
        Path file = directory.resolve(WEIGHTS);
        if (!Files.isRegularFile(file)) {
            throw new LoricaException.NotFound(file + " does not exist"
                    + (Files.exists(directory.resolve("adapter_model.bin"))
                            ? "; adapter_model.bin is a Python pickle, which Lorica never reads: save it as safetensors"
                            : "; an adapter's directory holds adapter_config.json and " + WEIGHTS));
        }
        if (!options.anyBase()) {
            Provenance.read(directory)
                    .ifPresent(provenance -> provenance.requireBase(
                            options.base() != null ? options.base() : Fingerprint.of(model), directory.toString()));
        }
        AdapterConfig loading = config.withSettings(config.method().loading(config.settings(), config.where()));
        Adapter adapter = new AdapterBuilder(model, loading).build(Calibration.NONE, new Seed(0));
        try (TensorSource source = new RenamedTensors(SafetensorsFile.open(file), adapter.fileKeys()::toState)) {
            adapter.coverage(fill(adapter, source, file.toString(), options));
            if (options.trainable()) {
                adapter.requireGradients();
            }
            return adapter;
        } catch (RuntimeException e) {
            adapter.close();
            throw e;
        }
    }

    private static Coverage fill(Adapter adapter, TensorSource source, String where, LoadOptions options) {
        SequencedMap<String, Tensor> wanted = adapter.state();
        List<String> frozen = new ArrayList<>();
        adapter.shared().tensors().keySet().stream()
                .filter(key -> !adapter.shared().saved().containsKey(key))
                .forEach(key -> frozen.add("base_model." + key));
        try (Scope _ = Scope.open()) { // what is saved may be computed
            adapter.sites().forEach((name, part) -> {
                Set<String> saved = part.saved().keySet();
                part.tensors().keySet().stream()
                        .filter(suffix -> !saved.contains(suffix))
                        .forEach(suffix -> frozen.add(Adapter.key(name, suffix)));
            });
        }
        frozen.forEach(wanted::remove);
        List<String> faults = new ArrayList<>();
        List<String> missing = new ArrayList<>();
        int loaded = 0;
        for (Map.Entry<String, Tensor> entry : wanted.entrySet()) {
            String found = copiesOf(entry.getKey(), adapter, source).findFirst().orElse(null);
            if (found == null) {
                missing.add(entry.getKey());
            } else if (copy(source, found, entry.getValue(), faults)) {
                loaded++;
            }
        }
        List<String> unexpected = new ArrayList<>();
        for (String key : source.names()) {
            if (!wanted.containsKey(key)
                    && !repeatsTheBase(adapter, source, key, faults)
                    && !repeatsShared(adapter, source, key, faults)) {
                unexpected.add(key);
            }
        }
        if (!faults.isEmpty()) {
            throw new LoricaException.Incompatible(where + ": " + faults.size() + " tensors cannot be used:\n  "
                    + String.join("\n  ", faults.subList(0, Math.min(20, faults.size())))
                    + "\nis this the base it was trained on, and did its training stay finite?");
        }
        Coverage coverage = new Coverage(loaded, wanted.size(), adapter.sites().size(), missing, unexpected);
        if (!options.allowPartial()) {
            coverage.requireFull(where);
        }
        if (loaded == 0) {
            throw new LoricaException.Incompatible(
                    where + ": " + coverage + ", so the adapter would do nothing; is this its base?");
        }
        return coverage;
    }

    private static boolean copy(TensorSource source, String key, Tensor target, List<String> faults) {
        try (Scope _ = Scope.open();
                Grad _ = Grad.disabled()) {
            long[] found = source.info(key).shape();
            if (!Arrays.equals(found, Tensors.shape(target))) {
                faults.add(key + " has shape " + Arrays.toString(found) + ", but this base and configuration ask for "
                        + Arrays.toString(Tensors.shape(target)));
                return false;
            }
            Tensor value = source.read(key);
            if (!DType.of(value).isFloat()) {
                faults.add(key + " holds " + DType.of(value) + ", but must hold floating-point numbers");
                return false;
            }
            target.copy_(value);
            if (!Finite.all(target)) {
                faults.add(key + " holds numbers that are not finite");
                return false;
            }
            return true;
        }
    }

    /** Names in the file under which a tensor is found: its own first, then the copies at the sites of a shared one. */
    private static Stream<String> copiesOf(String key, Adapter adapter, TensorSource source) {
        String suffix = key.startsWith("base_model.") ? key.substring("base_model.".length()) : key;
        Stream<String> copies = adapter.shared().saved().containsKey(suffix)
                ? adapter.sites().keySet().stream().map(site -> Adapter.key(site, suffix))
                : Stream.empty();
        return Stream.concat(Stream.of(key), copies).filter(source.names()::contains);
    }

    /** Whether a key is a site's copy of a shared tensor, which PEFT saves at every site (RandLoRA). All must be equal. */
    private static boolean repeatsShared(Adapter adapter, TensorSource source, String key, List<String> faults) {
        int end = key.lastIndexOf('.') + 1;
        Tensor shared = adapter.shared().saved().get(key.substring(end));
        if (shared == null
                || !adapter.sites().keySet().stream().anyMatch(site -> key.startsWith(Adapter.key(site, "")))) {
            return false;
        }
        try (Scope _ = Scope.open()) {
            if (!Arrays.equals(source.info(key).shape(), Tensors.shape(shared))
                    || Tensors.maxDifference(source.read(key), shared) > 0) {
                faults.add(key + " differs from the file's other copies of this shared tensor");
            }
            return true;
        }
    }

    /**
     * Whether a key is the base's own weight, which PEFT saves along with an adapted embedding. It must equal this
     * base's, or the vocabulary was changed.
     */
    private static boolean repeatsTheBase(Adapter adapter, TensorSource source, String key, List<String> faults) {
        String end = ".base_layer.weight";
        if (!key.startsWith(Adapter.PREFIX) || !key.endsWith(end)) {
            return false;
        }
        String name = key.substring(Adapter.PREFIX.length(), key.length() - end.length());
        Site site = adapter.model().sites().get(name);
        if (site == null || !adapter.sites().containsKey(name)) {
            return false;
        }
        try (Scope _ = Scope.open();
                Grad _ = Grad.disabled()) {
            Tensor frozen = site.weight().checkpoint();
            if (!Arrays.equals(source.info(key).shape(), Tensors.shape(frozen))
                    || Tensors.maxDifference(Tensors.to(source.read(key), DType.of(frozen)), frozen) > 0) {
                faults.add(key + " is another weight than this base's "
                        + site.weight().name());
            }
            return true;
        }
    }
}
