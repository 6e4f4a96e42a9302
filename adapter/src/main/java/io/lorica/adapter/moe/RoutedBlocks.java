package io.lorica.adapter.moe;

import io.lorica.adapter.BlockAdapter;
import io.lorica.adapter.Shared;
import io.lorica.adapter.SiteShape;
import io.lorica.model.BaseModel;
import io.lorica.model.FeedForward;
import io.lorica.model.Site;
import io.lorica.tensor.Grad;
import io.lorica.tensor.LoricaException;
import io.lorica.tensor.Scope;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.SequencedMap;
import java.util.Set;
import java.util.stream.Stream;
import org.bytedeco.pytorch.Tensor;

/** The feed-forward blocks of one adapter that have experts, and the tensors of their routers. */
public final class RoutedBlocks implements Shared {
    /** The maps of a block, whose updates are experts. */
    private static final Set<String> MAPS = Set.of("gate_proj", "up_proj", "down_proj");

    private final String within;
    private final SequencedMap<String, Tensor> routers = new LinkedHashMap<>();
    private final List<BlockAdapter> blocks = new ArrayList<>();
    private final Map<Site, RoutedBlock> bySite = new HashMap<>();

    private RoutedBlocks(String within) {
        this.within = within;
    }

    /** Makes what acts on one block; {@code tensors} takes its router's tensors over, by the ends of their names. */
    @FunctionalInterface
    public interface Maker {
        RoutedBlock make(FeedForward block, SequencedMap<String, Tensor> tensors);
    }

    /**
     * Routers for every block with at least one target.
     *
     * @param within start of the names of sites that are adapted at all
     * @throws LoricaException.Unsupported where a target looks like a map of a block, but the model offers no such block
     */
    public static RoutedBlocks of(String method, BaseModel model, List<Site> sites, String within, Maker maker) {
        RoutedBlocks made = new RoutedBlocks(within);
        for (FeedForward block : model.feedForwards().values()) {
            List<Site> maps = Stream.<Site>of(block.gate(), block.up(), block.down())
                    .filter(sites::contains)
                    .toList();
            if (!maps.isEmpty()) {
                made.add(block, maps, maker);
            }
        }
        for (Site site : sites) {
            boolean concerned = made.adapts(site) || made.blocks.isEmpty();
            if (inBlock(site.name()) && concerned && !made.bySite.containsKey(site)) {
                made.close();
                throw new LoricaException.Unsupported(method + " cannot put experts on " + site.name()
                        + ", which is in no gated feed-forward block that this model ("
                        + model.config().modelType() + ") offers; leave it out of target_modules");
            }
        }
        return made;
    }

    private void add(FeedForward block, List<Site> maps, Maker maker) {
        SequencedMap<String, Tensor> tensors = new LinkedHashMap<>();
        try (Scope _ = Scope.open();
                Grad _ = Grad.disabled()) {
            RoutedBlock part = maker.make(block, tensors);
            blocks.add(part);
            maps.forEach(map -> bySite.put(map, part));
        }
        tensors.forEach((end, tensor) -> routers.put("model." + block.name() + "." + end, tensor));
    }

    /** Whether a site of that name is a map of a block, as far as names tell. */
    public static boolean inBlock(String site) {
        return MAPS.contains(site.substring(site.lastIndexOf('.') + 1));
    }

    /** @throws LoricaException.BadInput where none of these is a map of a block */
    public static void requireSome(List<SiteShape> sites, String where) {
        if (sites.stream().noneMatch(site -> inBlock(site.name()))) {
            throw new LoricaException.BadInput(where + ": none of the " + sites.size() + " targets, the first "
                    + sites.getFirst().describe()
                    + ", is a gate_proj, up_proj or down_proj, so there would be no experts; add some of these to"
                    + " target_modules, or choose method 'lora'");
        }
    }

    /** The block that a site belongs to. */
    public RoutedBlock at(Site site) {
        return Objects.requireNonNull(bySite.get(site), site.name());
    }

    @Override
    public boolean adapts(Site site) {
        return site.name().startsWith(within);
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
