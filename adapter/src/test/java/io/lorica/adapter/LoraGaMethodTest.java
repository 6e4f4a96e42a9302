package io.lorica.adapter;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.lorica.adapter.lowrank.PairAdapter;
import io.lorica.adapter.lowrank.Start;
import io.lorica.adapter.lowrank.WeightGradients;
import io.lorica.model.BaseModel;
import io.lorica.model.Linear;
import io.lorica.tensor.Grad;
import io.lorica.tensor.LoricaException;
import io.lorica.tensor.Scope;
import io.lorica.tensor.Seed;
import io.lorica.tensor.Tensors;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class LoraGaMethodTest extends MethodContract {
    private static final String SITE = "model.layers.0.self_attn.q_proj"; // [48, 32]
    private static final String PASS = "'r': 4, 'lora_alpha': 8, 'bsz': 4, 'iters': 2, ";

    @Override
    String method() {
        return "lora-ga";
    }

    @Override
    String settings() {
        return "{" + PASS + TARGETS + "}";
    }

    @Override
    String impossible() {
        return "{'r': 17, " + TARGETS + "}"; // 34 of 32 singular vectors
    }

    @Override
    double startTolerance() {
        return 1e-4; // two products that cancel
    }

    @Override
    Calibration calibration(BaseModel seen) {
        return new TinyCalibration(seen);
    }

    @Override
    List<String> suffixes() {
        return List.of(".lora_A.weight", ".lora_B.weight");
    }

    private Map<String, Tensor> gradients() {
        Map<String, Tensor> gradients = new HashMap<>();
        WeightGradients.each(
                List.copyOf(create(model, settings(), new Seed(1)).sites().values()).stream()
                        .map(SiteAdapter::site)
                        .toList(),
                new TinyCalibration(model),
                2,
                4,
                (site, gradient) -> gradients.put(site.name(), Scope.release(gradient.clone())));
        return gradients;
    }

    private PairAdapter part(String settings) {
        Adapter adapter = create(model, settings, new Seed(1));
        stack.add("p" + stack.names().size(), adapter);
        return (PairAdapter) Objects.requireNonNull(adapter.sites().get(SITE));
    }

    @Test
    void weightGradients_twoBatches_areAutogradsOfTheMeanLoss() {
        Map<String, Tensor> gradients = gradients();
        Linear site = (Linear) Objects.requireNonNull(model.sites().get(SITE));
        try (Scope _ = Scope.open()) {
            Tensor leaf = site.weight().frozen().clone().requires_grad_(true);
            site.weight().override(() -> leaf);
            TinyCalibration data = new TinyCalibration(model);
            data.loss(0, 8).backward(); // batches of equal size: the mean over both is the mean of both
            site.weight().restore();
            assertThat(Tensors.maxDifference(Objects.requireNonNull(gradients.get(SITE)), leaf.grad()))
                    .isLessThan(1e-6);
            assertThat(leaf.grad().abs().max().item_double()).isGreaterThan(1e-4);
        }
        assertThat(gradients).hasSize(4);
        assertThat(site.overlaid()).isFalse();
    }

    @ParameterizedTest
    @ValueSource(strings = {"ArB2r", "A2rBr", "ArBr", "random"})
    void create_stable_firstStepIsTheBestApproximationOfTheGradient(String direction) {
        Tensor g = Objects.requireNonNull(gradients().get(SITE));
        PairAdapter part = part("{" + PASS + "'direction': '" + direction + "', " + TARGETS + "}");
        try (Scope _ = Scope.open();
                Grad _ = Grad.disabled()) {
            Tensor a = part.pair().a();
            Tensor b = part.pair().b();
            double c = Math.sqrt(48) / 16;
            Tensor step = g.mm(a.t()).mm(a).add(b.mm(b.t()).mm(g));
            var svd = torch.linalg_svd(g, false, null);
            Tensor best = svd.get0()
                    .narrow(1, 0, 8)
                    .mul(svd.get1().narrow(0, 0, 8))
                    .mm(svd.get2().narrow(0, 0, 8))
                    .mul(new Scalar(c));
            assertThat(norm(step.sub(best)) / norm(best)).isLessThan(1e-4);
            Tensor identity = torch.eye(4).mul(new Scalar(c));
            assertThat(Tensors.maxDifference(a.mm(a.t()), identity)).isLessThan(1e-5);
            assertThat(Tensors.maxDifference(b.t().mm(b), identity)).isLessThan(1e-5);
            assertThat(norm(b.mm(a))).isCloseTo(2 * c, org.assertj.core.api.Assertions.within(1e-4));
        }
    }

    @Test
    void create_otherScales_haveTheirLengths() {
        try (Scope _ = Scope.open();
                Grad _ = Grad.disabled()) {
            PairAdapter unit = part("{" + PASS + "'scale': 'unit', " + TARGETS + "}");
            assertThat(norm(unit.pair().a())).isCloseTo(2, org.assertj.core.api.Assertions.within(1e-4));
            PairAdapter gd = part("{" + PASS + "'scale': 'gd', " + TARGETS + "}");
            assertThat(norm(gd.pair().a())).isCloseTo(2.0 / 4, org.assertj.core.api.Assertions.within(1e-4));
            PairAdapter weight = part("{" + PASS + "'scale': 'weightS', " + TARGETS + "}");
            float[] s = Tensors.floats(torch.linalg_svd(Start.frozen((Linear) weight.site()), false, null)
                    .get1());
            double c = 0;
            for (int i = 0; i < 4; i++) {
                c += Math.sqrt(s[i] / 4) / 4;
            }
            assertThat(norm(weight.pair().a())).isCloseTo(2 * c, org.assertj.core.api.Assertions.within(1e-3));
        }
    }

    @Test
    void create_normClip_boundsTheChangeByTheWeight() {
        try (Scope _ = Scope.open();
                Grad _ = Grad.disabled()) {
            PairAdapter part = part("{" + PASS + "'stable_gamma': 0.01, 'norm_clip': true, " + TARGETS + "}");
            double change = 4 * part.pair().b().mm(part.pair().a()).abs().max().item_double();
            double weight = Start.frozen((Linear) part.site()).abs().max().item_double();
            assertThat(change).isCloseTo(weight, org.assertj.core.api.Assertions.within(1e-4 * weight));
        }
    }

    @Test
    void save_fresh_isPlainLoraAndNoChange(@TempDir Path out) {
        float[] base = logits();
        fresh("a").save(out);
        Adapter loaded = Adapter.load(model, out, LoadOptions.STRICT);
        stack.add("b", loaded);
        assertThat(loaded.config().method().info().name()).isEqualTo("lora");
        stack.activate("b");
        assertThat(TinyModels.difference(logits(), base)).isLessThan(1e-4);
    }

    @Test
    void create_withoutData_saysWhatToDo() {
        assertThatThrownBy(() -> Adapter.create(model, TinyModels.config("lora-ga", settings()), new Seed(1)))
                .isInstanceOf(LoricaException.BadInput.class)
                .hasMessageContaining("--data");
    }

    private static double norm(Tensor matrix) {
        return Math.sqrt(matrix.mul(matrix).sum().item_double());
    }
}
