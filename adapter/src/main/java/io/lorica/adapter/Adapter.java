package io.lorica.adapter;

import io.lorica.model.BaseModel;
import io.lorica.model.Linear;
import io.lorica.model.Parameter;
import io.lorica.model.Site;
import io.lorica.tensor.LoricaException;
import io.lorica.tensor.Scope;
import io.lorica.tensor.Seed;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Optional;
import java.util.SequencedMap;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/**
 * One adapter on one base model: its configuration, its part on every site, and what else it trains. It does nothing
 * until an {@link AdapterStack} activates it.
 */
public final class Adapter implements AutoCloseable {
    /** The files of an adapter's directory, in the order of their names. The last is there where Lorica wrote them. */
    public static final List<String> FILES = List.of(AdapterConfig.FILE, AdapterFiles.WEIGHTS, Provenance.FILE);

    /** What PEFT puts before every module's name. */
    static final String PREFIX = "base_model.model.";

    private final BaseModel model;
    private final AdapterConfig config;
    private final Shared shared;
    private final SequencedMap<String, SiteAdapter> sites;
    private final List<TrainedModule> modules;
    private @Nullable Coverage coverage;

    Adapter(
            BaseModel model,
            AdapterConfig config,
            Shared shared,
            SequencedMap<String, SiteAdapter> sites,
            List<TrainedModule> modules) {
        this.model = model;
        this.config = config;
        this.shared = shared;
        this.sites = sites;
        this.modules = modules;
    }

    /**
     * A fresh adapter, ready to be trained. The base stays untouched.
     *
     * @param seed initial values; each site has its own stream
     * @throws io.lorica.tensor.LoricaException.BadInput where the configuration does not fit the model
     */
    public static Adapter create(BaseModel model, AdapterConfig config, Seed seed) {
        return create(model, config, Calibration.NONE, seed);
    }

    /**
     * A fresh adapter whose method may look at data first.
     *
     * @param calibration what the method starts from, where it starts from data
     */
    public static Adapter create(BaseModel model, AdapterConfig config, Calibration calibration, Seed seed) {
        Adapter adapter = new AdapterBuilder(model, config).build(calibration, seed);
        adapter.requireGradients();
        return adapter;
    }

    /**
     * Reads an adapter that PEFT or Lorica wrote.
     *
     * @throws io.lorica.tensor.LoricaException.Incompatible when it does not fit this base, with everything that does
     *     not match
     */
    public static Adapter load(BaseModel model, Path directory, LoadOptions options) {
        return AdapterFiles.load(model, directory, options);
    }

    /** Writes {@code adapter_config.json} and {@code adapter_model.safetensors} as PEFT reads them. */
    public void save(Path directory) {
        AdapterFiles.save(this, directory);
    }

    public BaseModel model() {
        return model;
    }

    public AdapterConfig config() {
        return config;
    }

    /** Parts by site name, in the order of the forward pass. */
    public SequencedMap<String, SiteAdapter> sites() {
        return sites;
    }

    public Shared shared() {
        return shared;
    }

    /** The ranks it can be used at, where there is a choice. */
    public Optional<NestedRanks> ranks() {
        return shared instanceof NestedRanks ranks ? Optional.of(ranks) : Optional.empty();
    }

    /** The rates of compression it can be used at, where there is a choice. */
    public Optional<Scales> scales() {
        return shared instanceof Scales scales ? Optional.of(scales) : Optional.empty();
    }

    List<TrainedModule> modules() {
        return modules;
    }

    /**
     * Names of the base's weights that this adapter replaces whole ({@code modules_to_save}, {@code bias}) rather than
     * adds to.
     */
    public List<String> replaced() {
        return modules.stream().map(module -> module.parameter().name()).toList();
    }

    /**
     * What it replaces at the sites, where all that it replaces is theirs.
     *
     * @throws LoricaException.Unsupported where some of it is not, such as a norm's weight
     */
    public List<Replacement> replacements() {
        List<Replacement> all = new ArrayList<>();
        for (TrainedModule module : modules) {
            List<Site> users = module.site() != null ? List.of(module.site()) : users(module.parameter());
            if (users.isEmpty()) {
                throw new LoricaException.Unsupported("the adapter replaces "
                        + module.parameter().name()
                        + ", which is no part of a linear map or an embedding; merge it into"
                        + " a model of its own with 'lorica adapter merge'");
            }
            users.forEach(site -> all.add(new Replacement(site, module.parameter(), module.master())));
        }
        shared.replaced()
                .forEach((parameter, value) ->
                        users(parameter).forEach(site -> all.add(new Replacement(site, parameter, value.get()))));
        return all;
    }

    private List<Site> users(Parameter parameter) {
        return model.sites().values().stream()
                .filter(site ->
                        site.weight() == parameter || (site instanceof Linear linear && linear.bias() == parameter))
                .toList();
    }

    /** What was found in the file; empty for an adapter that was not loaded. */
    public Optional<Coverage> coverage() {
        return Optional.ofNullable(coverage);
    }

    void coverage(Coverage found) {
        coverage = found;
    }

    /** What the optimizer moves, in the order of the forward pass, then biases and whole modules. */
    public List<Trainable> trainables() {
        List<Trainable> all = new ArrayList<>();
        shared.tensors().forEach((key, tensor) -> {
            if (shared.trainable(key)) {
                all.add(new Trainable("base_model." + key, tensor, shared.role(key)));
            }
        });
        sites.forEach((name, part) -> part.tensors().forEach((suffix, tensor) -> {
            if (part.trainable(suffix)) {
                all.add(new Trainable(key(name, suffix), tensor, part.role(suffix)));
            }
        }));
        modules.forEach(module -> all.add(new Trainable(module.key(), module.master(), Trainable.Role.MODULE)));
        return all;
    }

    /**
     * Every tensor a checkpoint must hold so that training goes on exactly: trained and frozen ones, by key. They are
     * this adapter's own: copy into them to restore.
     */
    public SequencedMap<String, Tensor> state() {
        SequencedMap<String, Tensor> state = new LinkedHashMap<>();
        shared.tensors().forEach((key, tensor) -> state.put("base_model." + key, tensor));
        sites.forEach((name, part) -> part.tensors().forEach((suffix, tensor) -> state.put(key(name, suffix), tensor)));
        modules.forEach(module -> state.put(module.key(), module.master()));
        return state;
    }

    /** What goes into the file, by key. Computed tensors belong to the caller's innermost scope. */
    SequencedMap<String, Tensor> saved() {
        SequencedMap<String, Tensor> saved = new LinkedHashMap<>();
        shared.saved().forEach((key, tensor) -> saved.put("base_model." + key, tensor));
        sites.forEach((name, part) -> part.saved().forEach((suffix, tensor) -> saved.put(key(name, suffix), tensor)));
        modules.forEach(module -> saved.put(module.key(), module.master()));
        return saved;
    }

    FileKeys fileKeys() {
        return config.method().fileKeys(model);
    }

    static String key(String site, String suffix) {
        return PREFIX + site + "." + suffix;
    }

    /** Trained numbers. */
    public long parameterCount() {
        return trainables().stream()
                .mapToLong(trainable -> trainable.tensor().numel())
                .sum();
    }

    /** What the method changes about the training loop. */
    public TrainingRule trainingRule(Seed seed) {
        return config.method().trainingRule(config.settings(), this, seed);
    }

    void requireGradients() {
        try (Scope _ = Scope.open()) {
            trainables().forEach(trainable -> trainable.tensor().set_requires_grad(true));
        }
    }

    /** Frees the adapter's tensors. Take it off every {@link AdapterStack} first. */
    @Override
    public void close() {
        sites.values().forEach(SiteAdapter::close);
        modules.forEach(TrainedModule::close);
        shared.close();
    }
}
