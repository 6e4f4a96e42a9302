package io.lorica.adapter.block;

import io.lorica.adapter.SiteAdapter;
import io.lorica.adapter.lowrank.LowRank;
import io.lorica.model.Linear;
import io.lorica.model.Pass;
import io.lorica.model.Site;
import io.lorica.tensor.DType;
import io.lorica.tensor.Grad;
import io.lorica.tensor.Scope;
import io.lorica.tensor.Seed;
import io.lorica.tensor.Tensors;
import java.util.LinkedHashMap;
import java.util.SequencedMap;
import org.bytedeco.pytorch.Tensor;

/**
 * Block-LoRA on a linear site, {@code s = alpha / sqrt(r)}, n blocks, one head {@code Ah} for all of them:
 *
 * <pre>
 * mode input   y = W x + b + s B Ah (x_1 + … + x_n)          x_j the j-th chunk of dropout(x)
 *              Ah: [r, in / n], B: [out, r]; the weight's change is s B [Ah … Ah], its block (i, j) s B_i Ah
 * mode rank    y = W x + b + s (B_1 + … + B_n) Ah dropout(x)
 *              Ah: [r / n, in], B: [out, r] cut along r; the rank of the change is r / n
 * </pre>
 *
 * <p>Mode input trains {@code r (out + in / n)} numbers where LoRA trains {@code r (out + in)}, and sums chunks where LoRA
 * multiplies. The head starts Kaiming-uniform on its own shape, the arms at 0.
 */
final class BlockLoraLinear implements SiteAdapter {
    private static final String HEAD = "block_lora_A";
    private static final String ARMS = "block_lora_B";

    private final Linear site;
    private final BlockLoraConfig config;
    private final SequencedMap<String, Tensor> tensors = new LinkedHashMap<>();
    private final Tensor head;
    private final Tensor arms;

    BlockLoraLinear(Linear site, BlockLoraConfig config, Seed seed) {
        this.site = site;
        this.config = config;
        long columns = config.columns(site.in());
        try (Scope _ = Scope.open();
                Grad _ = Grad.disabled()) {
            double width = config.fullFanIn() ? Math.sqrt((double) columns / site.in()) : 1;
            head = Scope.release(LowRank.times(LowRank.kaiming(seed.of("A"), config.rank(), columns), width));
            arms = Scope.release(Tensors.zeros(DType.F32, site.out(), config.r()));
        }
        tensors.put(HEAD, head);
        tensors.put(ARMS, arms);
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
    public SequencedMap<String, Tensor> saved() {
        if (config.form() == BlockLoraConfig.Form.COMPACT) {
            return tensors;
        }
        SequencedMap<String, Tensor> lora = new LinkedHashMap<>();
        lora.put("lora_A.weight", down().contiguous());
        lora.put("lora_B.weight", up().contiguous());
        return lora;
    }

    @Override
    public Tensor apply(Tensor input, Tensor base, Tensor result, double weight, Pass pass) {
        try (Scope scope = Scope.open()) {
            Tensor x = folded(pass.dropout(input, config.dropout(), site.name()));
            return scope.keep(LowRank.add(result, x, head, up(), config.scaling() * weight));
        }
    }

    /** The sum of the chunks in mode input: {@code [..., in]} to {@code [..., in / n]}. */
    private Tensor folded(Tensor x) {
        if (config.mode() == BlockLoraConfig.Mode.RANK || config.blocks() == 1) {
            return x;
        }
        return x.unflatten(-1, config.blocks(), x.size(-1) / config.blocks()).sum(-2);
    }

    /** A of the equal LoRA: {@code [rank, in]}. */
    private Tensor down() {
        return config.mode() == BlockLoraConfig.Mode.RANK ? head : head.repeat(1, config.blocks());
    }

    /** B of the equal LoRA: {@code [out, rank]}. */
    private Tensor up() {
        return config.mode() == BlockLoraConfig.Mode.RANK
                ? arms.unflatten(1, config.blocks(), config.rank()).sum(1)
                : arms;
    }

    @Override
    public Tensor change(Tensor matrix) {
        try (Scope scope = Scope.open();
                Grad _ = Grad.disabled()) {
            return scope.keep(LowRank.times(up(), config.scaling()).mm(down()));
        }
    }
}
