package io.lorica.adapter.diffora;

import io.lorica.adapter.SiteAdapter;
import io.lorica.adapter.lowrank.LowRank;
import io.lorica.adapter.lowrank.Pair;
import io.lorica.adapter.lowrank.Start;
import io.lorica.model.Linear;
import io.lorica.model.Pass;
import io.lorica.model.Site;
import io.lorica.tensor.DType;
import io.lorica.tensor.Grad;
import io.lorica.tensor.Scope;
import io.lorica.tensor.Seed;
import io.lorica.tensor.Tensors;
import java.util.LinkedHashMap;
import java.util.Objects;
import java.util.Optional;
import java.util.SequencedMap;
import org.bytedeco.pytorch.Tensor;

/**
 * DiffoRA on a linear site: {@code y = W x + b + g s B A dropout(x)} while the matrix is sought, then {@code g = 1} with
 * the site's own pair where it was chosen, else with what its kind shares. In steps of the matrix
 * {@code dL/dg = sum_t <dL/dy_t, s B A x_t>}.
 */
final class DifforaLinear implements SiteAdapter {
    private final Linear site;
    private final DifforaConfig config;
    private final Matrix matrix;
    private final int position;
    private final Seed seed;
    private final SequencedMap<String, Tensor> tensors = new LinkedHashMap<>();

    DifforaLinear(Linear site, DifforaConfig config, Matrix matrix, Seed seed) {
        this.site = site;
        this.config = config;
        this.matrix = matrix;
        this.seed = seed;
        position = matrix.position(site);
        start(seed);
    }

    private void start(Seed from) {
        Start start = Start.lora(site, config.lowRank().r(), from);
        tensors.put(Pair.A, start.a());
        tensors.put(Pair.B, start.b());
    }

    private Tensor own(String suffix) {
        return Objects.requireNonNull(tensors.get(suffix), suffix);
    }

    @Override
    public Site site() {
        return site;
    }

    @Override
    public SequencedMap<String, Tensor> tensors() {
        return tensors;
    }

    @Override
    public boolean trainable(String suffix) {
        if (matrix.searching() || matrix.chosen(position)) {
            return true;
        }
        return suffix.equals(Pair.A) && config.share() == DifforaConfig.Share.KIND_B;
    }

    /** After the choice: fresh factors, or the sought ones with the relaxed factor in B. */
    void settle() {
        try (Scope _ = Scope.open();
                Grad _ = Grad.disabled()) {
            if (config.restart()) {
                tensors.values().forEach(Tensor::close);
                start(seed.of("restart"));
            } else if (matrix.chosen(position)) {
                own(Pair.B).mul_(matrix.relaxed().select(0, position));
            }
        }
    }

    private Tensor a() {
        boolean shares = !matrix.searching() && !matrix.chosen(position);
        return shares && config.share() == DifforaConfig.Share.KIND ? matrix.shared(site, "lora_A") : own(Pair.A);
    }

    /** B with its factor, or nothing where the site has none. */
    private Optional<Tensor> b() {
        if (matrix.searching()) {
            return Optional.of(own(Pair.B).mul(matrix.relaxed().select(0, position)));
        }
        if (matrix.chosen(position)) {
            return Optional.of(own(Pair.B));
        }
        return config.share() == DifforaConfig.Share.NONE
                ? Optional.empty()
                : Optional.of(matrix.shared(site, "lora_B"));
    }

    private double scaling() {
        return config.lowRank().scaling(site.name());
    }

    /** A copy of what acts here; nothing where nothing does. */
    @Override
    public SequencedMap<String, Tensor> saved() {
        SequencedMap<String, Tensor> saved = new LinkedHashMap<>();
        b().ifPresent(b -> {
            saved.put(Pair.A, a());
            saved.put(Pair.B, b);
        });
        return saved;
    }

    @Override
    public Tensor apply(Tensor input, Tensor base, Tensor result, double weight, Pass pass) {
        return b().map(b -> {
                    Tensor x = pass.dropout(input, config.lowRank().dropout(), site.name());
                    return LowRank.add(result, x, a(), b, scaling() * weight);
                })
                .orElse(result);
    }

    @Override
    public Tensor change(Tensor frozen) {
        try (Scope scope = Scope.open();
                Grad _ = Grad.disabled()) {
            return scope.keep(b().map(b -> LowRank.times(b, scaling()).mm(a()))
                    .orElseGet(() -> Tensors.zeros(DType.F32, site.out(), site.in())));
        }
    }
}
