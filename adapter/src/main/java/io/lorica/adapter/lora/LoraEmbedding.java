package io.lorica.adapter.lora;

import io.lorica.adapter.SiteAdapter;
import io.lorica.adapter.Trainable;
import io.lorica.adapter.lowrank.LowRank;
import io.lorica.model.Embedding;
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
import org.bytedeco.pytorch.global.torch;

/**
 * LoRA on an embedding: {@code y = E[ids] + s A^T[ids] B^T} with {@code A: [r, num]} zero and {@code B: [dim, r]} normal
 * at the start (the zero factor is A here, the opposite of a linear site). No dropout, as in PEFT.
 */
final class LoraEmbedding implements SiteAdapter {
    private static final String A = "lora_embedding_A";
    private static final String B = "lora_embedding_B";

    private final Embedding site;
    private final double scaling;
    private final SequencedMap<String, Tensor> tensors = new LinkedHashMap<>();
    private final Tensor a;
    private final Tensor b;

    private LoraEmbedding(Embedding site, double scaling, Tensor a, Tensor b) {
        this.site = site;
        this.scaling = scaling;
        this.a = a;
        this.b = b;
        tensors.put(A, a);
        tensors.put(B, b);
    }

    static LoraEmbedding fresh(Embedding site, LoraConfig config, Seed seed) {
        try (Scope _ = Scope.open();
                Grad _ = Grad.disabled()) {
            int r = config.lowRank().rank(site.name());
            Tensor a = Scope.release(Tensors.zeros(DType.F32, r, site.in()));
            Tensor b = Scope.release(LowRank.normal(seed.of("B"), site.out(), r));
            return new LoraEmbedding(site, config.lowRank().scaling(site.name()), a, b);
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
    public Trainable.Role role(String suffix) {
        return Trainable.Role.EMBEDDING;
    }

    @Override
    public Tensor apply(Tensor ids, Tensor base, Tensor result, double weight, Pass pass) {
        DType type = DType.of(base);
        Tensor rows = Tensors.to(torch.embedding(a.t(), ids), type);
        Tensor up = Tensors.to(LowRank.times(b, scaling * weight), type);
        return result.add(rows.matmul(up.t()));
    }

    @Override
    public Tensor change(Tensor matrix) {
        try (Scope scope = Scope.open();
                Grad _ = Grad.disabled()) {
            return scope.keep(a.t().mm(LowRank.times(b, scaling).t()));
        }
    }
}
