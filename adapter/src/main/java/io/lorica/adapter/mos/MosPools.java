package io.lorica.adapter.mos;

import io.lorica.adapter.Shared;
import io.lorica.adapter.Trainable;
import io.lorica.model.Site;
import io.lorica.tensor.DType;
import io.lorica.tensor.Grad;
import io.lorica.tensor.Scope;
import io.lorica.tensor.Seed;
import io.lorica.tensor.SeededBasis;
import io.lorica.tensor.Tensors;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Objects;
import java.util.SequencedMap;
import org.bytedeco.pytorch.Tensor;

/**
 * The trained pools, two for each type of site: {@code [e L l, in / l]} uniform within {@code 1 / sqrt(in)} (the whole input, not
 * the shard's) and {@code [e L l, out / l]} zero. They are all that is trained and saved.
 *
 * @param tensors {@code mos_A.TYPE} and {@code mos_B.TYPE}
 * @param types sites of each type, in the order of the model
 * @param inFile whether they are saved; else each site's own LoRA is
 */
record MosPools(SequencedMap<String, Tensor> tensors, SequencedMap<String, List<String>> types, boolean inFile)
        implements Shared {

    static MosPools fresh(MosConfig config, List<Site> sites, Seed seed) {
        SequencedMap<String, List<Site>> types = SiteTypes.of(sites, Site::leaf, Site::in, Site::out);
        SequencedMap<String, Tensor> tensors = new LinkedHashMap<>();
        SequencedMap<String, List<String>> names = new LinkedHashMap<>();
        try (Scope _ = Scope.open();
                Grad _ = Grad.disabled()) {
            types.forEach((type, members) -> {
                Site any = members.getFirst();
                long count = (long) config.budget() * members.size() * config.shards();
                try (SeededBasis basis = new SeededBasis(seed.of(type).value())) {
                    double bound = SeededBasis.linearBound(any.in());
                    Tensor a = basis.uniform(DType.F32, bound, count, any.in() / config.shards());
                    tensors.put("mos_A." + type, Scope.release(a));
                }
                Tensor b = Tensors.zeros(DType.F32, count, any.out() / config.shards());
                tensors.put("mos_B." + type, Scope.release(b));
                names.put(type, members.stream().map(Site::name).toList());
            });
        }
        return new MosPools(tensors, names, !config.asLora());
    }

    String type(String site) {
        return types.entrySet().stream()
                .filter(entry -> entry.getValue().contains(site))
                .findFirst()
                .orElseThrow()
                .getKey();
    }

    List<String> members(String type) {
        return Objects.requireNonNull(types.get(type));
    }

    Tensor pool(String key) {
        return Objects.requireNonNull(tensors.get(key));
    }

    @Override
    public SequencedMap<String, Tensor> saved() {
        return inFile ? tensors : new LinkedHashMap<>();
    }

    @Override
    public boolean trainable(String key) {
        return true;
    }

    @Override
    public Trainable.Role role(String key) {
        return key.startsWith("mos_B") ? Trainable.Role.B : Trainable.Role.A;
    }
}
