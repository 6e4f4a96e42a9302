package io.lorica.adapter.mola;

import io.lorica.adapter.Factors;
import io.lorica.adapter.SiteAdapter;
import io.lorica.adapter.lowrank.LowRank;
import io.lorica.adapter.lowrank.LowRankConfig;
import io.lorica.adapter.moe.Router;
import io.lorica.adapter.moe.Routing;
import io.lorica.model.Linear;
import io.lorica.model.Pass;
import io.lorica.model.Site;
import io.lorica.tensor.DType;
import io.lorica.tensor.Grad;
import io.lorica.tensor.LoricaException;
import io.lorica.tensor.Scope;
import io.lorica.tensor.Seed;
import io.lorica.tensor.Tensors;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Objects;
import java.util.SequencedMap;
import java.util.stream.IntStream;
import org.bytedeco.pytorch.Tensor;

/** The experts of one linear map and their router. */
final class MolaLinear implements SiteAdapter {
    private static final String ROUTER = "router.router.weight";

    private final Linear site;
    private final Router router;
    private final double scaling;
    private final double dropout;
    private final SequencedMap<String, Tensor> tensors;

    private MolaLinear(Linear site, Router router, LowRankConfig expert, SequencedMap<String, Tensor> tensors) {
        this.site = site;
        this.router = router;
        this.tensors = tensors;
        scaling = expert.scaling(site.name());
        dropout = expert.dropout();
    }

    static MolaLinear fresh(Linear site, MolaConfig config, int layers, Seed seed) {
        int layer = MolaConfig.layer(site.name());
        int experts = config.experts().at(layer, layers);
        LowRankConfig expert = config.rank(layer, layers);
        SequencedMap<String, Tensor> tensors = new LinkedHashMap<>();
        try (Scope _ = Scope.open();
                Grad _ = Grad.disabled()) {
            for (int e = 0; e < experts; e++) {
                tensors.put(a(e), Scope.release(LowRank.kaiming(seed.of("A").of(e), expert.r(), site.in())));
                tensors.put(b(e), Scope.release(Tensors.zeros(DType.F32, site.out(), expert.r())));
            }
            tensors.put(ROUTER, Scope.release(LowRank.kaiming(seed.of("router"), experts, site.in())));
        }
        Tensor weight = Objects.requireNonNull(tensors.get(ROUTER));
        Router router = new Router(site.name(), weight, config.topK().at(layer, layers));
        return new MolaLinear(site, router, expert, tensors);
    }

    private static String a(int expert) {
        return "lora_A_" + expert + ".weight";
    }

    private static String b(int expert) {
        return "lora_B_" + expert + ".weight";
    }

    private Tensor tensor(String suffix) {
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
    public List<Factors> experts() {
        return IntStream.range(0, router.experts())
                .mapToObj(e -> new Factors(tensor(a(e)), tensor(b(e)), scaling))
                .toList();
    }

    @Override
    public Tensor apply(Tensor input, Tensor base, Tensor result, double weight, Pass pass) {
        if (router.experts() == 1) {
            Tensor dropped = pass.dropout(input, dropout, site.name());
            return LowRank.add(result, dropped, tensor(a(0)), tensor(b(0)), scaling * weight);
        }
        Tensor x = input.reshape(-1, site.in());
        Routing routing = router.route(x, pass);
        Tensor sent = pass.dropout(routing.gather(x), dropout, site.name());
        Tensor change = routing.combine(
                routing.each(List.of(sent), (e, parts) -> change(e, parts.getFirst(), scaling * weight)));
        return result.add(change.view(Tensors.shape(result)));
    }

    /** {@code factor B_e A_e x} in the dtype of {@code x}. */
    private Tensor change(int expert, Tensor x, double factor) {
        DType type = DType.of(x);
        Tensor hidden = LowRank.times(x.mm(Tensors.to(tensor(a(expert)), type).t()), factor);
        return hidden.mm(Tensors.to(tensor(b(expert)), type).t());
    }

    @Override
    public Tensor change(Tensor matrix) {
        throw new LoricaException.Unsupported("mola sends each token to experts of its own at " + site.name()
                + ", which no weight can do; it cannot be merged");
    }
}
