package io.lorica.adapter.bone;

import io.lorica.adapter.SiteAdapter;
import io.lorica.adapter.lowrank.Start;
import io.lorica.adapter.lowrank.WeightChange;
import io.lorica.model.Linear;
import io.lorica.model.Pass;
import io.lorica.model.Site;
import io.lorica.tensor.DType;
import io.lorica.tensor.Grad;
import io.lorica.tensor.Scope;
import io.lorica.tensor.Tensors;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.SequencedMap;
import org.bytedeco.pytorch.Tensor;

/**
 * Bone with weight guide: with the frozen weight cut into blocks {@code W_ab} of {@code r x r}, block ab changes by
 * {@code W_ab M_a + M_a}. {@code M: [out / r, r, r]} float32, zero at the start, one block per row of blocks.
 *
 * <p>Several active adapters add up, each guided by the frozen weight. In PEFT each is guided by the weight as the ones
 * before it changed it, so that their order matters; for one adapter there is no difference.
 */
final class GuidedBlocks implements SiteAdapter {
    private final Linear site;
    private final SequencedMap<String, Tensor> tensors = new LinkedHashMap<>();
    private final Tensor blocks;

    GuidedBlocks(Linear site, BoneConfig config) {
        this.site = site;
        try (Scope _ = Scope.open();
                Grad _ = Grad.disabled()) {
            blocks = Scope.release(Tensors.zeros(DType.F32, site.out() / config.r(), config.r(), config.r()));
        }
        tensors.put(config.key(), blocks);
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
        return WeightChange.add(
                result, input, weight, List.of(blocks), trained -> guided(Start.frozen(site), trained.getFirst()));
    }

    private static Tensor guided(Tensor matrix, Tensor m) {
        long r = m.size(1);
        long rows = matrix.size(0) / r;
        long columns = matrix.size(1) / r;
        // [rows, r, columns, r] -> [rows, r * columns, r]: all blocks of a row times that row's M in one product
        Tensor w = matrix.reshape(rows, r, columns, r).reshape(rows, r * columns, r);
        Tensor product = w.bmm(m).view(rows, r, columns, r);
        return product.add(m.unsqueeze(2)).reshape(matrix.size(0), matrix.size(1));
    }

    @Override
    public Tensor change(Tensor matrix) {
        try (Scope scope = Scope.open();
                Grad _ = Grad.disabled()) {
            return scope.keep(guided(matrix, blocks));
        }
    }
}
