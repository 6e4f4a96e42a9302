package io.lorica.adapter.mos;

import io.lorica.adapter.SiteAdapter;
import io.lorica.adapter.lowrank.LowRank;
import io.lorica.adapter.lowrank.Pair;
import io.lorica.model.Linear;
import io.lorica.model.Pass;
import io.lorica.model.Site;
import io.lorica.tensor.Grad;
import io.lorica.tensor.Scope;
import java.util.LinkedHashMap;
import java.util.SequencedMap;
import org.bytedeco.pytorch.Tensor;

/**
 * MoS on a linear site: LoRA {@code y = result + lora_alpha / r B A dropout(x)} whose rows of A and columns of B are l shards of a
 * pool each, joined end to end. The site owns nothing that is trained.
 */
final class MosLinear implements SiteAdapter {
    private final Linear site;
    private final MosConfig config;
    private final Tensor poolA;
    private final Tensor poolB;
    private final ShardTables tables;

    MosLinear(Linear site, MosConfig config, Tensor poolA, Tensor poolB, ShardTables tables) {
        this.site = site;
        this.config = config;
        this.poolA = poolA;
        this.poolB = poolB;
        this.tables = tables;
    }

    static MosLinear of(Linear site, MosConfig config, MosPools pools) {
        String type = pools.type(site.name());
        int layer = pools.members(type).indexOf(site.name());
        int layers = pools.members(type).size();
        ShardTables tables = ShardTables.draw(config, type, layer, layers);
        return new MosLinear(site, config, pools.pool("mos_A." + type), pools.pool("mos_B." + type), tables);
    }

    @Override
    public Site site() {
        return site;
    }

    @Override
    public SequencedMap<String, Tensor> tensors() {
        return new LinkedHashMap<>();
    }

    @Override
    public SequencedMap<String, Tensor> saved() {
        SequencedMap<String, Tensor> saved = new LinkedHashMap<>();
        if (config.asLora()) {
            saved.put(Pair.A, a());
            saved.put(Pair.B, b().contiguous());
        }
        return saved;
    }

    @Override
    public Tensor apply(Tensor input, Tensor base, Tensor result, double weight, Pass pass) {
        Tensor x = pass.dropout(input, config.dropout(), site.name());
        return LowRank.add(result, x, a(), b(), config.scaling() * weight);
    }

    private Tensor a() {
        return tables.assembleA(poolA, config.r());
    }

    private Tensor b() {
        return tables.assembleB(poolB, config.r());
    }

    @Override
    public Tensor change(Tensor matrix) {
        try (Scope scope = Scope.open();
                Grad _ = Grad.disabled()) {
            return scope.keep(LowRank.times(b(), config.scaling()).mm(a()));
        }
    }

    @Override
    public void close() {
        tables.close();
    }
}
