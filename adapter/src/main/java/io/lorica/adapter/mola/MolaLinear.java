package io.lorica.adapter.mola;

import io.lorica.adapter.Factors;
import io.lorica.adapter.SiteAdapter;
import io.lorica.adapter.lowrank.LowRank;
import io.lorica.adapter.lowrank.LowRankConfig;
import io.lorica.adapter.lowrank.Start;
import io.lorica.adapter.moe.Expert;
import io.lorica.adapter.moe.Router;
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
import java.util.SequencedMap;
import java.util.stream.IntStream;
import org.bytedeco.pytorch.Tensor;

/** The experts of one linear map and their router. */
final class MolaLinear implements SiteAdapter {
    private static final String ROUTER = "router.router.weight";

    private final Linear site;
    private final Router router;
    private final List<Expert> experts;
    private final SequencedMap<String, Tensor> tensors = new LinkedHashMap<>();

    private MolaLinear(Linear site, List<Expert> experts, Tensor weight, int topK) {
        this.site = site;
        this.experts = experts;
        router = new Router(site.name(), weight, topK);
        for (int e = 0; e < experts.size(); e++) {
            String number = "_" + e + ".weight";
            experts.get(e)
                    .tensors()
                    .forEach((suffix, tensor) -> tensors.put(suffix.replace(".weight", number), tensor));
        }
        tensors.put(ROUTER, weight);
    }

    static MolaLinear fresh(Linear site, MolaConfig config, int layers, Seed seed) {
        int layer = MolaConfig.layer(site.name());
        LowRankConfig lora = config.rank(layer, layers);
        List<Expert> experts = IntStream.range(0, config.experts().at(layer, layers))
                .mapToObj(e -> expert(site, e, lora, seed))
                .toList();
        try (Scope _ = Scope.open();
                Grad _ = Grad.disabled()) {
            Tensor weight = Scope.release(LowRank.kaiming(seed.of("router"), experts.size(), site.in()));
            return new MolaLinear(site, experts, weight, config.topK().at(layer, layers));
        }
    }

    private static Expert expert(Linear site, int number, LowRankConfig lora, Seed seed) {
        try (Scope _ = Scope.open();
                Grad _ = Grad.disabled()) {
            Start start = Start.of(
                    LowRank.kaiming(seed.of("A").of(number), lora.r(), site.in()),
                    Tensors.zeros(DType.F32, site.out(), lora.r()),
                    false);
            return new Expert(site, site.name() + "." + number, lora, start, false);
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

    @Override
    public List<Factors> experts() {
        return experts.stream().map(Expert::factors).toList();
    }

    @Override
    public Tensor apply(Tensor input, Tensor base, Tensor result, double weight, Pass pass) {
        if (experts.size() == 1) {
            return experts.getFirst().apply(input, base, result, weight, pass);
        }
        Tensor x = input.reshape(-1, site.in());
        Tensor change = router.route(x, pass).change(x, site.out(), experts, weight, pass);
        return result.add(change.view(Tensors.shape(result)));
    }

    @Override
    public Tensor change(Tensor matrix) {
        throw new LoricaException.Unsupported("mola sends each token to experts of its own at " + site.name()
                + ", which no weight can do; it cannot be merged");
    }
}
