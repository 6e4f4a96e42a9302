package io.lorica.adapter.moe;

import io.lorica.adapter.Factors;
import io.lorica.adapter.SiteAdapter;
import io.lorica.model.Linear;
import io.lorica.model.Pass;
import io.lorica.model.Site;
import io.lorica.tensor.LoricaException;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.SequencedMap;
import org.bytedeco.pytorch.Tensor;

/**
 * The experts of one linear map in a feed-forward block. A router of the whole block decides who visits them, so that they add
 * nothing to the map itself: what computes with them is a {@link io.lorica.adapter.BlockAdapter}.
 */
public final class ExpertGroup implements SiteAdapter {
    private final Linear site;
    private final String method;
    private final List<Expert> experts;
    private final SequencedMap<String, Tensor> tensors = new LinkedHashMap<>();

    /**
     * @param method named where it cannot be merged
     * @param suffixes from an expert's number and its suffix to that of the group
     */
    public ExpertGroup(Linear site, String method, List<Expert> experts, Suffixes suffixes) {
        this.site = site;
        this.method = method;
        this.experts = List.copyOf(experts);
        for (int e = 0; e < experts.size(); e++) {
            int number = e;
            experts.get(e).tensors().forEach((suffix, tensor) -> tensors.put(suffixes.of(number, suffix), tensor));
        }
    }

    /** How the tensors of an expert are named among those of its group. */
    @FunctionalInterface
    public interface Suffixes {
        String of(int expert, String suffix);
    }

    /** All of them, in their order. */
    public List<Expert> all() {
        return experts;
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
    public Tensor apply(Tensor input, Tensor base, Tensor result, double weight, Pass pass) {
        return result;
    }

    @Override
    public List<Factors> experts() {
        return experts.stream().map(Expert::factors).toList();
    }

    @Override
    public Tensor change(Tensor matrix) {
        throw new LoricaException.Unsupported(method + " sends each token to experts of its own at " + site.name()
                + ", which no weight can do; it cannot be merged");
    }
}
