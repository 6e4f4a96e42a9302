package io.lorica.adapter;

import io.lorica.model.BaseModel;
import io.lorica.model.FeedForward;
import io.lorica.model.Linear;
import io.lorica.model.Parameter;
import io.lorica.model.Site;
import io.lorica.tensor.LoricaException;
import io.lorica.tensor.Names;
import io.lorica.tensor.Seed;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.SequencedMap;
import java.util.Set;
import java.util.stream.Stream;

/** Puts an adapter together: chooses sites, asks the method for its parts, copies what is trained whole. */
final class AdapterBuilder {
    private final BaseModel model;
    private final AdapterConfig config;
    private final SequencedMap<String, TrainedModule> modules = new LinkedHashMap<>();

    AdapterBuilder(BaseModel model, AdapterConfig config) {
        this.model = model;
        this.config = config;
    }

    Adapter build(Calibration calibration, Seed seed) {
        String modelType = model.config().modelType();
        AdapterConfig resolved = config.method().onSites() ? config.withTargets(config.targetsOn(modelType)) : config;
        List<Site> chosen = resolved.plan(SiteShape.of(model), modelType).stream()
                .map(shape -> Objects.requireNonNull(model.sites().get(shape.name())))
                .toList();
        refuseUnknownModules();
        requireExactWeights();
        Seed init = seed.of("adapter");
        Shared shared = share(chosen, calibration, init.of("shared"));
        SequencedMap<String, SiteAdapter> parts = new LinkedHashMap<>();
        List<Site> adapted = chosen.stream().filter(shared::adapts).toList();
        if (adapted.size() < chosen.size()) {
            resolved = resolved.withTargets(
                    TargetSpec.exactly(adapted.stream().map(Site::name).toList()));
        }
        for (Site site : adapted) {
            parts.put(site.name(), config.method().adapt(config.settings(), site, shared, init.of(site.name())));
        }
        addModules();
        addBiases(parts.keySet());
        return new Adapter(model, resolved, shared, parts, List.copyOf(modules.values()));
    }

    /**
     * With data the method sees the bare model, whatever adapters are active. Without, nothing runs the model, and its
     * overlays stay: other threads may be answering with them, and load adapters at the same time.
     */
    @SuppressWarnings("ReferenceEquality") // there is one that stands for none
    private Shared share(List<Site> chosen, Calibration calibration, Seed seed) {
        if (calibration == Calibration.NONE) {
            return config.method().share(config.settings(), model, chosen, calibration, seed);
        }
        List<Runnable> putBack = Stream.concat(
                        model.sites().values().stream().map(Site::setAside),
                        model.feedForwards().values().stream().map(FeedForward::setAside))
                .toList();
        try {
            return config.method().share(config.settings(), model, chosen, calibration, seed);
        } finally {
            putBack.forEach(Runnable::run);
        }
    }

    /** PEFT finds modules to save by the plain end of their names, so that {@code norm} takes every norm. */
    private boolean saved(String module) {
        return config.modulesToSave().stream().anyMatch(module::endsWith);
    }

    private void requireExactWeights() {
        if (model.weightFormat().quantized()) {
            config.method().needsExactWeights(config.settings()).ifPresent(reason -> {
                throw new LoricaException.Unsupported(
                        config.where() + ": " + config.method().info().name() + " cannot start on a base held as "
                                + model.weightFormat() + ": " + reason + "; load the base with dense weights");
            });
        }
    }

    private void refuseUnknownModules() {
        Set<String> known = new LinkedHashSet<>();
        model.parameters().keySet().forEach(name -> addParents(name, known));
        known.addAll(model.sites().keySet());
        boolean classifier = AdapterConfig.CLASSIFIER.equals(config.taskType());
        for (String module : config.modulesToSave()) {
            boolean optional = classifier && TargetSpec.SCORE_HEADS.contains(module);
            if (!optional && known.stream().noneMatch(name -> name.endsWith(module))) {
                throw new LoricaException.BadInput(config.where() + ": key 'modules_to_save' names '" + module
                        + "', but no module of this model ends so" + Names.didYouMean(module, leaves(known)));
            }
        }
    }

    private static Set<String> leaves(Set<String> names) {
        Set<String> leaves = new LinkedHashSet<>();
        names.forEach(name -> leaves.add(name.substring(name.lastIndexOf('.') + 1)));
        return leaves;
    }

    private static void addParents(String parameter, Set<String> modules) {
        for (int dot = parameter.lastIndexOf('.'); dot > 0; dot = parameter.lastIndexOf('.', dot - 1)) {
            modules.add(parameter.substring(0, dot));
        }
    }

    private boolean underSaved(String name) {
        Set<String> parents = new LinkedHashSet<>();
        addParents(name, parents);
        return parents.stream().anyMatch(this::saved);
    }

    private void addModules() {
        model.parameters().forEach((name, parameter) -> {
            if (underSaved(name)) {
                boolean alone = users(parameter) <= 1;
                Site site = alone ? null : ownSite(name, parameter).orElse(null);
                add(Adapter.PREFIX + name, parameter, site);
            }
        });
        model.sites().forEach((name, site) -> {
            String key = name + ".weight";
            if (!model.parameters().containsKey(key) && underSaved(key)) {
                add(Adapter.PREFIX + key, site.weight(), site); // a tied head: only its own use is replaced
            }
        });
    }

    private long users(Parameter parameter) {
        return model.sites().values().stream()
                .filter(site -> site.weight() == parameter)
                .count();
    }

    private Optional<Site> ownSite(String name, Parameter parameter) {
        return model.sites().values().stream()
                .filter(site -> site.weight() == parameter && name.equals(site.name() + ".weight"))
                .findFirst();
    }

    private void addBiases(Set<String> adapted) {
        if (config.bias() == AdapterConfig.Bias.NONE) {
            return;
        }
        Set<Parameter> ofAdapted = new LinkedHashSet<>();
        for (String name : adapted) {
            if (model.sites().get(name) instanceof Linear linear && linear.bias() != null) {
                ofAdapted.add(linear.bias());
                // PEFT wraps an adapted layer, and the wrapped one's name is in the key.
                add(Adapter.key(name, "base_layer.bias"), linear.bias(), null);
            }
        }
        if (config.bias() == AdapterConfig.Bias.ALL) {
            model.parameters().forEach((name, parameter) -> {
                if (name.contains("bias") && !ofAdapted.contains(parameter)) {
                    add(Adapter.PREFIX + name, parameter, null);
                }
            });
        }
    }

    private void add(String key, Parameter parameter, @org.jspecify.annotations.Nullable Site site) {
        modules.computeIfAbsent(key, k -> TrainedModule.copy(k, parameter, site));
    }
}
