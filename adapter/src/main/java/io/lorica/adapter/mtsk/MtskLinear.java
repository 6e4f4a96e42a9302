package io.lorica.adapter.mtsk;

import io.lorica.adapter.Factors;
import io.lorica.adapter.SiteAdapter;
import io.lorica.adapter.Trainable;
import io.lorica.adapter.lowrank.LowRank;
import io.lorica.adapter.lowrank.Pair;
import io.lorica.model.Linear;
import io.lorica.model.Pass;
import io.lorica.model.Rates;
import io.lorica.model.Site;
import io.lorica.tensor.DType;
import io.lorica.tensor.Grad;
import io.lorica.tensor.Scope;
import io.lorica.tensor.Seed;
import io.lorica.tensor.Tensors;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.SequencedMap;
import java.util.stream.Stream;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorVector;
import org.bytedeco.pytorch.global.torch;

/**
 * Llama-MTSK on a linear site at scale i: {@code y = W x + b + s (B_0 A_0 + B_i A_i) x}, with the shared pair, that of the
 * scale, or both. {@code A: [h, in]} starts at 0 and {@code B: [out, h]} Kaiming-uniform, the reverse of LoRA's start.
 */
final class MtskLinear implements SiteAdapter {
    private static final String DOWN = "lora_down";
    private static final String UP = "lora_up";
    private static final String SHARED = "_shared";

    private final Linear site;
    private final MtskConfig config;
    private final ActiveScale active;
    private final SequencedMap<String, Tensor> tensors = new LinkedHashMap<>();

    MtskLinear(Linear site, MtskConfig config, ActiveScale active, Seed seed) {
        this.site = site;
        this.config = config;
        this.active = active;
        if (config.strategy().shared()) {
            add(sharedName(), seed);
        }
        if (config.strategy().specific()) {
            active.scales().forEach(scale -> add(specificName(scale), seed.of(scale.key())));
        }
    }

    /** What stands between {@code lora_down} and {@code .weight}: nothing with one pair, as in the official files. */
    private String sharedName() {
        return config.strategy() == Strategy.MS ? "" : SHARED;
    }

    private static String specificName(Rates scale) {
        return "." + scale.key();
    }

    private void add(String name, Seed seed) {
        int h = config.rank(site.in());
        try (Scope _ = Scope.open();
                Grad _ = Grad.disabled()) {
            tensors.put(DOWN + name + ".weight", Scope.release(Tensors.zeros(DType.F32, h, site.in())));
            tensors.put(UP + name + ".weight", Scope.release(LowRank.kaiming(seed.of("up"), site.out(), h)));
        }
    }

    @Override
    public Site site() {
        return site;
    }

    @Override
    public SequencedMap<String, Tensor> tensors() {
        return tensors;
    }

    /** Everything; once a scale was chosen, that scale's as PEFT names it. */
    @Override
    public SequencedMap<String, Tensor> saved() {
        if (!active.chosen()) {
            return tensors;
        }
        SequencedMap<String, Tensor> saved = new LinkedHashMap<>();
        saved.put(Pair.A, down(active.inUse()));
        saved.put(Pair.B, up(active.inUse()));
        return saved;
    }

    @Override
    public Trainable.Role role(String suffix) {
        return suffix.startsWith(UP) ? Trainable.Role.B : Trainable.Role.A;
    }

    /** The pairs that a scale uses, by the middle of their names. */
    private List<String> names(Rates scale) {
        return Stream.concat(
                        config.strategy().shared() ? Stream.of(sharedName()) : Stream.empty(),
                        config.strategy().specific() ? Stream.of(specificName(scale)) : Stream.empty())
                .toList();
    }

    /** {@code [A_0; A_i]}. */
    private Tensor down(Rates scale) {
        return joined(DOWN, scale, 0);
    }

    /** {@code [B_0, B_i]}. */
    private Tensor up(Rates scale) {
        return joined(UP, scale, 1);
    }

    private Tensor joined(String factor, Rates scale, long dim) {
        Tensor[] parts = names(scale).stream()
                .map(name -> Objects.requireNonNull(tensors.get(factor + name + ".weight")))
                .toArray(Tensor[]::new);
        return parts.length == 1 ? parts[0] : torch.cat(new TensorVector(parts), dim);
    }

    @Override
    public Tensor apply(Tensor input, Tensor base, Tensor result, double weight, Pass pass) {
        Rates scale = active.of(pass);
        return LowRank.add(result, input, down(scale), up(scale), config.scaling() * weight);
    }

    @Override
    public Optional<Factors> plainProduct() {
        return Optional.of(new Factors(down(active.inUse()), up(active.inUse()), config.scaling()));
    }

    @Override
    public Tensor change(Tensor matrix) {
        try (Scope scope = Scope.open();
                Grad _ = Grad.disabled()) {
            Rates used = active.inUse();
            return scope.keep(LowRank.times(up(used), config.scaling()).mm(down(used)));
        }
    }
}
