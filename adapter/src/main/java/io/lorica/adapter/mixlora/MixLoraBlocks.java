package io.lorica.adapter.mixlora;

import io.lorica.adapter.BlockAdapter;
import io.lorica.adapter.Shared;
import io.lorica.adapter.lowrank.LowRank;
import io.lorica.adapter.moe.Router;
import io.lorica.model.BaseModel;
import io.lorica.model.FeedForward;
import io.lorica.model.Site;
import io.lorica.tensor.Grad;
import io.lorica.tensor.LoricaException;
import io.lorica.tensor.Scope;
import io.lorica.tensor.Seed;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.SequencedMap;
import java.util.stream.Stream;
import org.bytedeco.pytorch.Tensor;

/** The routers of one adapter, one for each feed-forward block that has experts. */
final class MixLoraBlocks implements Shared {
    private final SequencedMap<String, Tensor> routers = new LinkedHashMap<>();
    private final List<BlockAdapter> blocks = new ArrayList<>();
    private final Map<Site, MixLoraBlock> bySite = new HashMap<>();

    static MixLoraBlocks of(MixLoraConfig config, BaseModel model, List<Site> sites, Seed seed) {
        MixLoraBlocks made = new MixLoraBlocks();
        for (FeedForward block : model.feedForwards().values()) {
            List<Site> maps = Stream.<Site>of(block.gate(), block.up(), block.down())
                    .filter(sites::contains)
                    .toList();
            if (!maps.isEmpty()) {
                made.add(config, block, maps, seed.of(block.name()));
            }
        }
        for (Site site : sites) {
            if (MixLoraConfig.inBlock(site.name()) && !made.bySite.containsKey(site)) {
                made.close();
                throw new LoricaException.Unsupported("mixlora cannot put experts on " + site.name()
                        + ", which is in no gated feed-forward block that this model ("
                        + model.config().modelType() + ") offers; leave it out of target_modules");
            }
        }
        return made;
    }

    private void add(MixLoraConfig config, FeedForward block, List<Site> maps, Seed seed) {
        try (Scope _ = Scope.open();
                Grad _ = Grad.disabled()) {
            Tensor start = LowRank.normal(seed, config.experts(), block.gate().in());
            Tensor weight = Scope.release(LowRank.times(start, config.initRange()));
            routers.put("model." + block.name() + ".moe_gate.weight", weight);
            MixLoraBlock part =
                    new MixLoraBlock(block, new Router(block.name(), weight, config.topK()), config.jitter());
            blocks.add(part);
            maps.forEach(map -> bySite.put(map, part));
        }
    }

    MixLoraBlock at(Site site) {
        return Objects.requireNonNull(bySite.get(site), site.name());
    }

    @Override
    public SequencedMap<String, Tensor> tensors() {
        return routers;
    }

    @Override
    public boolean trainable(String key) {
        return true;
    }

    @Override
    public List<BlockAdapter> blocks() {
        return blocks;
    }
}
