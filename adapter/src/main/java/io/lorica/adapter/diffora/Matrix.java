package io.lorica.adapter.diffora;

import io.lorica.adapter.Shared;
import io.lorica.adapter.lowrank.LowRank;
import io.lorica.adapter.lowrank.Start;
import io.lorica.model.Linear;
import io.lorica.model.Site;
import io.lorica.tensor.DType;
import io.lorica.tensor.Grad;
import io.lorica.tensor.Scope;
import io.lorica.tensor.Seed;
import io.lorica.tensor.Tensors;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.SequencedMap;
import java.util.TreeMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.IntStream;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;

/**
 * The differential adaptation matrix over all sites, rows being layers and columns kinds of sites, and the pairs that
 * sites of a kind share. While it is sought, site i acts with factor {@code g_i = sigmoid(a_i)} (or softmax over its layer
 * times the layer's sites); once it is chosen, with 1 or with what its kind shares.
 *
 * <p>Everything that a resumed run needs is a tensor: logits {@code a}, Adam's moments, the average of the logits over the
 * last fifth of the search, and the choice (-1 while there is none).
 */
final class Matrix implements Shared {
    private static final Pattern LAYER = Pattern.compile("(?:.*?\\.)(\\d+)\\..*");
    private static final List<String> PARTS = List.of("logits", "m", "v", "average", "chosen");

    private final DifforaConfig config;
    private final Map<String, Integer> index = new LinkedHashMap<>();
    private final SequencedMap<String, Tensor> tensors = new LinkedHashMap<>();
    private final List<List<Integer>> rows;

    Matrix(DifforaConfig config, List<Site> sites, Seed seed) {
        this.config = config;
        Map<String, List<Integer>> layers = new TreeMap<>();
        try (Scope _ = Scope.open();
                Grad _ = Grad.disabled()) {
            for (Site site : sites) {
                Matcher matcher = LAYER.matcher(site.name());
                layers.computeIfAbsent(matcher.matches() ? matcher.group(1) : "", _ -> new ArrayList<>())
                        .add(index.size());
                index.put(site.name(), index.size());
                share((Linear) site, seed);
            }
            for (String part : PARTS) {
                Tensor start = Tensors.zeros(DType.F32, sites.size());
                own("diffora." + part, part.equals("chosen") ? start.sub_(new Scalar(1)) : start);
            }
        }
        rows = config.global()
                ? List.of(IntStream.range(0, sites.size()).boxed().toList())
                : List.copyOf(layers.values());
    }

    private void share(Linear site, Seed seed) {
        String kind = kind(site);
        if (config.share() == DifforaConfig.Share.NONE || tensors.containsKey(kind + ".lora_B")) {
            return;
        }
        Start start = Start.lora(site, config.lowRank().r(), seed.of(kind));
        tensors.put(kind + ".lora_B", start.b());
        if (config.share() == DifforaConfig.Share.KIND) {
            tensors.put(kind + ".lora_A", start.a());
        } else {
            start.a().close();
        }
    }

    /** Sites of one kind have the same last name and shape. */
    private static String kind(Linear site) {
        String leaf = site.name().substring(site.name().lastIndexOf('.') + 1);
        return "diffora." + leaf + "_" + site.out() + "x" + site.in();
    }

    private void own(String key, Tensor tensor) {
        tensors.put(key, Scope.release(tensor));
    }

    Tensor part(String name) {
        return Objects.requireNonNull(tensors.get("diffora." + name), name);
    }

    int position(Site site) {
        return Objects.requireNonNull(index.get(site.name()));
    }

    /** The shared factor of a site's kind, {@code "lora_A"} or {@code "lora_B"}. */
    Tensor shared(Linear site, String factor) {
        return Objects.requireNonNull(tensors.get(kind(site) + "." + factor), factor);
    }

    boolean searching() {
        return Tensors.floats(part("chosen"))[0] < 0;
    }

    boolean chosen(int position) {
        return Tensors.floats(part("chosen"))[position] > 0;
    }

    /** The relaxed matrix, {@code [sites]}; gradients flow into the logits where they ask for them. */
    Tensor relaxed() {
        return relaxed(part("logits"));
    }

    private Tensor relaxed(Tensor logits) {
        if (!config.softmax()) {
            return torch.sigmoid(logits);
        }
        Tensor relaxed = Tensors.zeros(DType.F32, index.size());
        for (List<Integer> row : rows) {
            Tensor at = Tensors.of(row.stream().mapToLong(Integer::longValue).toArray());
            Tensor soft = torch.softmax(logits.index_select(0, at), 0);
            relaxed = relaxed.index_add(0, at, LowRank.times(soft, row.size()));
        }
        return relaxed;
    }

    /**
     * Chooses the sites with the largest relaxed factors (by the averaged logits), {@code round(keep_ratio * sites)} of
     * each row; of equals the first.
     */
    void discretize() {
        try (Scope _ = Scope.open();
                Grad _ = Grad.disabled()) {
            float[] factors = Tensors.floats(relaxed(part("average")));
            float[] chosen = new float[factors.length];
            for (List<Integer> row : rows) {
                long keep = Math.round(config.keepRatio() * row.size());
                row.stream()
                        .sorted(Comparator.comparingDouble((Integer i) -> -factors[i]))
                        .limit(keep)
                        .forEach(i -> chosen[i] = 1);
            }
            part("chosen").copy_(Tensors.of(chosen, chosen.length));
        }
    }

    @Override
    public SequencedMap<String, Tensor> tensors() {
        return tensors;
    }

    /** Nothing: each site's file holds a copy of what it shares. */
    @Override
    public SequencedMap<String, Tensor> saved() {
        return new LinkedHashMap<>();
    }

    @Override
    public boolean trainable(String key) {
        return key.contains(".lora_") && !searching() && !allChosen();
    }

    private boolean allChosen() {
        for (float flag : Tensors.floats(part("chosen"))) {
            if (flag <= 0) {
                return false;
            }
        }
        return true;
    }
}
