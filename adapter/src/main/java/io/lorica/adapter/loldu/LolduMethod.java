package io.lorica.adapter.loldu;

import io.lorica.adapter.Calibration;
import io.lorica.adapter.Method;
import io.lorica.adapter.MethodConfig;
import io.lorica.adapter.MethodInfo;
import io.lorica.adapter.Options;
import io.lorica.adapter.Shared;
import io.lorica.adapter.SiteAdapter;
import io.lorica.adapter.SiteShape;
import io.lorica.adapter.lowrank.LowRankConfig;
import io.lorica.model.BaseModel;
import io.lorica.model.Linear;
import io.lorica.model.Site;
import io.lorica.tensor.DType;
import io.lorica.tensor.LoricaException;
import io.lorica.tensor.Seed;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Optional;
import java.util.SequencedMap;
import org.bytedeco.pytorch.Tensor;

/**
 * LoLDU (Shi et al., 2024): the weight is decomposed into {@code W = P L diag(d) U} (LU with row pivoting), and of the first
 * r pivots' factors only the diagonal {@code z: [r]} is trained:
 * {@code W' = W - s P L_r diag(z0) U_r + s P L_r diag(z) U_r}.
 *
 * <p>The weight that is subtracted is built from the z0 that training really starts from, so that every
 * {@code init_method} begins at the base; the official code does so for four of its eight only. alpha is r by default,
 * s = 1, where the official 1 makes gradients r times smaller. Pivots below 1e-6 of the largest are not divided by. P is
 * multiplied into L once, where the official code holds it as a dense matrix. Dropout, which the official code accepts and
 * never applies, is no setting.
 *
 * <p>A file holds 2r numbers a site, trained and first diagonal, since the factors follow from the weight. They do so only
 * for weights in the dtype of training, which the file therefore names. Needs the exact weight.
 */
public final class LolduMethod implements Method {

    @Override
    public MethodInfo info() {
        return new MethodInfo(
                "loldu",
                "LOLDU",
                "a diagonal is trained between triangular factors of the weight",
                "Shi et al., LoLDU: Low-Rank Adaptation via Lower-Diag-Upper Decomposition for Parameter-Efficient"
                        + " Fine-Tuning, 2024",
                "starts from weights",
                "weights",
                true,
                false,
                LolduConfig.KEYS);
    }

    @Override
    public MethodConfig parse(Options options) {
        return LolduConfig.parse(options);
    }

    @Override
    public void validate(MethodConfig config, SiteShape site, String where) {
        LowRankConfig.requireLinear(site, "loldu", where);
        int r = ((LolduConfig) config).r();
        long smaller = Math.min(site.in(), site.out());
        if (r > smaller) {
            throw new LoricaException.BadInput(where + ": rank " + r + " at " + site.describe() + " is above the "
                    + smaller + " pivots of its decomposition; choose r <= " + smaller);
        }
    }

    /** The dtype of the weights that are decomposed. */
    private record Decomposed(DType type) implements Shared {
        @Override
        public SequencedMap<String, Tensor> tensors() {
            return new LinkedHashMap<>();
        }
    }

    @Override
    public Shared share(MethodConfig config, BaseModel model, List<Site> sites, Calibration calibration, Seed seed) {
        ((LolduConfig) config).requireSameWeights(model.dtype());
        return new Decomposed(model.dtype());
    }

    @Override
    public MethodConfig saving(MethodConfig config, Shared shared) {
        return ((LolduConfig) config).decomposedFrom(((Decomposed) shared).type());
    }

    @Override
    public SiteAdapter adapt(MethodConfig config, Site site, Shared shared, Seed seed) {
        return new LolduLinear((Linear) site, (LolduConfig) config, seed);
    }

    @Override
    public Optional<String> ownBiases() {
        return Optional.empty();
    }
}
