package io.lorica.adapter.bone;

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
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.SequencedMap;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;

/**
 * One block for all chunks: {@code y = result + S(dropout(x)) M}, {@code S(x)_t = sum_c x_(c r + t)} over chunks c of r
 * consecutive inputs, zeros after the last.
 *
 * <p>{@code M: [r, out]} float32, or {@code [r, mini_r]} repeated along the outputs; starts at zero. It is LoRA with
 * {@code B = M^T} trained and A the identity repeated, at the cost of a sum in the place of the product with A. There is no
 * alpha: the learning rate alone sets the step.
 */
final class SharedBlock implements SiteAdapter {
    private final Linear site;
    private final double dropout;
    private final SequencedMap<String, Tensor> tensors = new LinkedHashMap<>();
    private final Tensor block;

    SharedBlock(Linear site, BoneConfig config, Seed seed) {
        this.site = site;
        this.dropout = config.dropout();
        long columns = config.form() == BoneConfig.Form.MINI ? config.miniR() : site.out();
        try (Scope _ = Scope.open();
                Grad _ = Grad.disabled()) {
            block = Scope.release(
                    config.form() == BoneConfig.Form.RANDOM
                            ? LowRank.kaiming(seed, config.r(), columns)
                            : Tensors.zeros(DType.F32, config.r(), columns));
        }
        tensors.put(config.key(), block);
    }

    @Override
    public Site site() {
        return site;
    }

    @Override
    public SequencedMap<String, Tensor> tensors() {
        return tensors;
    }

    /** {@code [r, out]}. */
    private Tensor whole() {
        long copies = site.out() / block.size(1);
        return copies == 1 ? block : block.repeat(1, copies);
    }

    @Override
    public Tensor apply(Tensor input, Tensor base, Tensor result, double weight, Pass pass) {
        DType type = DType.of(base);
        Tensor sums = chunkSums(Tensors.to(pass.dropout(input, dropout, site.name()), type));
        Tensor m = Tensors.to(LowRank.times(whole(), weight), type);
        return result.dim() == 2 ? result.addmm(sums, m) : result.add(sums.matmul(m));
    }

    private Tensor chunkSums(Tensor x) {
        long r = block.size(0);
        long width = x.size(-1);
        long aligned = width - width % r;
        long[] shape = Tensors.shape(x);
        long[] chunked = Arrays.copyOf(shape, shape.length + 1);
        chunked[shape.length - 1] = aligned / r;
        chunked[shape.length] = r;
        Tensor sums = x.narrow(-1, 0, aligned).reshape(chunked).sum(-2);
        return aligned == width ? sums : sums.add(padded(x.narrow(-1, aligned, width - aligned), r));
    }

    private static Tensor padded(Tensor rest, long width) {
        return torch.constant_pad_nd(rest, 0, width - rest.size(-1));
    }

    /** {@code [M^T M^T ...]}, cut at the input's width. */
    @Override
    public Tensor change(Tensor matrix) {
        try (Scope scope = Scope.open();
                Grad _ = Grad.disabled()) {
            long chunks = Math.ceilDiv(site.in(), block.size(0));
            return scope.keep(whole().t().repeat(1, chunks).narrow(1, 0, site.in()));
        }
    }
}
