package io.lorica.adapter;

import io.lorica.model.BaseModel;
import io.lorica.model.Embedding;
import io.lorica.model.FeedForward;
import io.lorica.model.Linear;
import io.lorica.model.Parameter;
import io.lorica.model.Site;
import io.lorica.model.VisionLanguageModel;
import io.lorica.tensor.LoricaException;
import io.lorica.tensor.Names;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Collections;
import java.util.HashMap;
import java.util.IdentityHashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.SequencedMap;
import java.util.function.Supplier;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/**
 * The adapters of one base model: which of them act, with what weight, and whether they are merged into the weights.
 *
 * <p>Several active adapters add up. A weight scales what an adapter adds at its sites; modules that an adapter trains
 * whole ({@code modules_to_save}, {@code bias}) are replaced, not scaled, and only one active adapter may replace a
 * module. Nothing here changes the base: {@link #disable()} brings it back exactly.
 */
public final class AdapterStack implements AutoCloseable {
    private final BaseModel model;
    private final SequencedMap<String, Adapter> adapters = new LinkedHashMap<>();
    private SequencedMap<String, Double> active = new LinkedHashMap<>();
    private final List<TrainedModule> replaced = new ArrayList<>();
    private @Nullable Merge merged;

    public AdapterStack(BaseModel model) {
        this.model = model;
    }

    public BaseModel model() {
        return model;
    }

    /**
     * Takes an adapter in, inactive. This stack closes it.
     *
     * @throws LoricaException.BadInput where the name is taken
     * @throws LoricaException.Incompatible where the adapter belongs to another model object
     */
    public AdapterStack add(String name, Adapter adapter) {
        if (!adapter.model().equals(model)) {
            throw new LoricaException.Incompatible(
                    "adapter '" + name + "' was made for another model object; load it for this one");
        }
        if (adapters.containsKey(name)) {
            throw new LoricaException.BadInput(
                    "an adapter named '" + name + "' is there already; remove it first or choose another name");
        }
        adapters.put(name, adapter);
        return this;
    }

    public Adapter adapter(String name) {
        Adapter adapter = adapters.get(name);
        if (adapter == null) {
            throw new LoricaException.NotFound("no adapter named '" + name + "'"
                    + Names.didYouMean(name, adapters.keySet()) + " (there are: " + String.join(", ", adapters.keySet())
                    + ")");
        }
        return adapter;
    }

    public Collection<String> names() {
        return Collections.unmodifiableSet(adapters.keySet());
    }

    /** The active adapters with their weights. */
    public SequencedMap<String, Double> active() {
        return Collections.unmodifiableSequencedMap(active);
    }

    /** Makes one adapter act, with weight 1, and no other. */
    public void activate(String name) {
        activate(Map.of(name, 1.0));
    }

    /**
     * Makes these adapters act, each with its weight, and no other.
     *
     * @throws LoricaException.Incompatible where two of them replace the same module
     */
    public void activate(Map<String, Double> weights) {
        requireUnmerged("activate other adapters");
        SequencedMap<String, Double> wanted = new LinkedHashMap<>(weights);
        wanted.forEach((name, weight) -> {
            adapter(name);
            if (!Double.isFinite(weight)) {
                throw new LoricaException.BadInput(
                        "weight of adapter '" + name + "' is " + weight + ", but must be a finite number");
            }
        });
        requireNoConflict(wanted.keySet());
        disable();
        active = wanted;
        attach();
    }

    /** Lets the base alone compute. */
    public void disable() {
        requireUnmerged("disable adapters");
        for (String name : active.keySet()) {
            adapter(name).sites().values().forEach(part -> part.site().detachOverlay());
            adapter(name).shared().blocks().forEach(part -> part.block().detachOverlay());
            adapter(name).shared().imageTokens().ifPresent(_ -> ((VisionLanguageModel) model).detachImageTokens());
        }
        replaced.forEach(module -> {
            Site site = module.site();
            if (site != null) {
                site.detachOverlay();
            } else {
                module.parameter().restore();
            }
        });
        replaced.clear();
        active.keySet()
                .forEach(name -> adapter(name).shared().replaced().keySet().forEach(Parameter::restore));
        active = new LinkedHashMap<>();
    }

    /** Takes an adapter out and closes it; where it was active, the others stay so. */
    public void remove(String name) {
        Adapter adapter = adapter(name);
        if (active.containsKey(name)) {
            SequencedMap<String, Double> rest = new LinkedHashMap<>(active);
            rest.remove(name);
            activate(rest);
        }
        adapters.remove(name);
        adapter.close();
    }

    /**
     * Puts adapters into the weights, so that the model computes as fast as the base. The frozen weights stay mapped and
     * untouched: {@link #unmerge()} brings them back bit by bit.
     *
     * @param weights adapters to merge with their factors
     * @throws LoricaException.Unsupported where a weight is shared by two sites (a tied embedding), or a method has no
     *     equal weight
     * @throws LoricaException.Incompatible where rounding changes the logits by more than the options allow; the model
     *     is then as it was
     */
    public MergeCertificate merge(Map<String, Double> weights, MergeOptions options) {
        requireUnmerged("merge again");
        for (String name : weights.keySet()) {
            if (adapter(name).shared().imageTokens().isPresent()) {
                throw new LoricaException.Unsupported("adapter '" + name
                        + "' adds tokens to images, which no weight of the base does; keep it beside the model");
            }
        }
        SequencedMap<String, Double> before = active;
        activate(weights);
        Merge merge = new Merge(model, options);
        try {
            MergeCertificate certificate = merge.run(parts(), List.copyOf(replaced), wholeWeights(), this::detachSites);
            merged = merge;
            return certificate;
        } catch (RuntimeException e) {
            merge.undo();
            attach();
            activate(before);
            throw e;
        }
    }

    /** Takes the merge back; the adapters that were merged act as overlays again. */
    public void unmerge() {
        if (merged == null) {
            throw new LoricaException.BadInput("nothing is merged, so nothing can be unmerged");
        }
        merged.undo();
        merged = null;
        attach();
    }

    public boolean isMerged() {
        return merged != null;
    }

    private void requireUnmerged(String what) {
        if (merged != null) {
            throw new LoricaException.BadInput("cannot " + what + " while adapters are merged; unmerge first");
        }
    }

    private void requireNoConflict(Collection<String> names) {
        Map<Object, String> owners = new HashMap<>();
        String adding = null;
        for (String name : names) {
            if (adapter(name).shared().imageTokens().isPresent()) {
                if (adding != null) {
                    throw new LoricaException.Incompatible("adapters '" + adding + "' and '" + name
                            + "' both add tokens to images; activate only one of them");
                }
                adding = name;
            }
            for (Parameter parameter : adapter(name).shared().replaced().keySet()) {
                requireFirst(owners.put(parameter, name), name, parameter);
            }
            for (TrainedModule module : adapter(name).modules()) {
                requireFirst(
                        owners.put(module.site() != null ? module.site() : module.parameter(), name),
                        name,
                        module.parameter());
            }
        }
    }

    private static void requireFirst(@Nullable String other, String name, Parameter parameter) {
        if (other != null) {
            throw new LoricaException.Incompatible("adapters '" + other + "' and '" + name + "' both replace "
                    + parameter.name() + " (modules_to_save, bias or whole weights); activate only one of them");
        }
    }

    /** Weights that active adapters replace whole by themselves. */
    private SequencedMap<Parameter, Supplier<Tensor>> wholeWeights() {
        SequencedMap<Parameter, Supplier<Tensor>> whole = new LinkedHashMap<>();
        active.forEach((name, weight) -> {
            if (weight != 0) {
                whole.putAll(adapter(name).shared().replaced());
            }
        });
        return whole;
    }

    /**
     * What the active adapters do to the rows that {@link RowsOverlay} gives them.
     *
     * @throws LoricaException.Unsupported where one replaces whole weights, which rows of others share
     */
    public RowsOverlay.Adapters rowAdapters() {
        for (String name : active.keySet()) {
            if (adapter(name).shared().imageTokens().isPresent()) {
                throw new LoricaException.Unsupported("method '"
                        + adapter(name).config().method().info().name()
                        + "' adds tokens to images, which rows of other adapters do not have; train it alone");
            }
            List<String> whole = adapter(name).replaced();
            if (!whole.isEmpty()) {
                throw new LoricaException.Unsupported("method '"
                        + adapter(name).config().method().info().name() + "' replaces whole weights of the base ("
                        + String.join(", ", whole) + "), which rows of other adapters share");
            }
        }
        return new RowsOverlay.Adapters(new IdentityHashMap<>(parts()), new IdentityHashMap<>(blocks()));
    }

    /** What acts on each site, in the order of activation. */
    private IdentityHashMap<Site, SiteOverlay> parts() {
        IdentityHashMap<Site, SiteOverlay> parts = new IdentityHashMap<>();
        active.forEach((name, weight) -> {
            Adapter adapter = adapter(name);
            if (weight != 0) {
                adapter.sites()
                        .values()
                        .forEach(part -> parts.computeIfAbsent(part.site(), _ -> new SiteOverlay())
                                .add(part, weight));
            }
            adapter.modules().stream()
                    .filter(module -> module.site() != null)
                    .forEach(module -> parts.computeIfAbsent(
                                    Objects.requireNonNull(module.site()), _ -> new SiteOverlay())
                            .replace(module));
        });
        return parts;
    }

    /** What acts on each feed-forward block, likewise. */
    private IdentityHashMap<FeedForward, BlockOverlay> blocks() {
        IdentityHashMap<FeedForward, BlockOverlay> blocks = new IdentityHashMap<>();
        active.forEach((name, weight) -> {
            if (weight != 0) {
                adapter(name)
                        .shared()
                        .blocks()
                        .forEach(part -> blocks.computeIfAbsent(part.block(), _ -> new BlockOverlay())
                                .add(part, weight));
            }
        });
        return blocks;
    }

    private void attach() {
        parts().forEach((site, overlay) -> {
            switch (site) {
                case Linear linear -> linear.attach(overlay);
                case Embedding embedding -> embedding.attach(overlay);
            }
        });
        blocks().forEach(FeedForward::attach);
        active.forEach((name, weight) -> {
            if (weight != 0) {
                adapter(name).shared().imageTokens().ifPresent(tokens -> ((VisionLanguageModel) model).attach(tokens));
            }
        });
        wholeWeights().forEach(Parameter::override);
        replaced.clear();
        for (String name : active.keySet()) {
            for (TrainedModule module : adapter(name).modules()) {
                if (module.site() == null) {
                    module.parameter().override(module::value);
                }
                replaced.add(module);
            }
        }
    }

    private void detachSites() {
        model.sites().values().forEach(Site::detachOverlay);
    }

    /** Brings the base back and closes every adapter. */
    @Override
    public void close() {
        if (merged != null) {
            merged.undo();
            merged = null;
        }
        disable();
        adapters.values().forEach(Adapter::close);
        adapters.clear();
    }

    /** The only active adapter, when there is exactly one. */
    public Optional<Adapter> single() {
        return active.size() == 1 ? Optional.of(adapter(active.firstEntry().getKey())) : Optional.empty();
    }
}
