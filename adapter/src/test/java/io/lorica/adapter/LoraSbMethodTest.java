package io.lorica.adapter;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import io.lorica.adapter.lowrank.LatentAdapter;
import io.lorica.adapter.lowrank.Pair;
import io.lorica.adapter.lowrank.WeightGradients;
import io.lorica.model.BaseModel;
import io.lorica.tensor.Grad;
import io.lorica.tensor.LoricaException;
import io.lorica.tensor.Scope;
import io.lorica.tensor.Seed;
import io.lorica.tensor.Tensors;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.junit.jupiter.api.Test;

class LoraSbMethodTest extends MethodContract {
    private static final String SITE = "model.layers.0.self_attn.q_proj"; // [48, 32]
    private static final String PASS = "'r': 4, 'num_samples': 8, 'eg_bs': 4, ";

    @Override
    String method() {
        return "lora-sb";
    }

    @Override
    String settings() {
        return "{" + PASS + TARGETS + "}";
    }

    /** The start is a step, not the base. */
    @Override
    double startTolerance() {
        return 0.1;
    }

    @Override
    Calibration calibration(BaseModel seen) {
        return new TinyCalibration(seen);
    }

    @Override
    List<String> suffixes() {
        return List.of(".lora_A.weight", ".lora_B.weight");
    }

    private static Tensor tensor(SiteAdapter part, String suffix) {
        return Objects.requireNonNull(part.tensors().get(suffix)).detach();
    }

    private Tensor gradient() {
        List<Tensor> found = new ArrayList<>();
        WeightGradients.each(
                List.of(Objects.requireNonNull(model.sites().get(SITE))),
                new TinyCalibration(model),
                2,
                4,
                (_, gradient) -> found.add(Scope.release(gradient.clone())));
        return found.getFirst();
    }

    @Test
    void create_fresh_isTheBestApproximationOfTheFirstUpdate() {
        Adapter adapter = create(model, "{" + PASS + "'init_lr': 0.01, " + TARGETS + "}", new Seed(1));
        stack.add("a", adapter);
        SiteAdapter part = Objects.requireNonNull(adapter.sites().get(SITE));
        Tensor g = gradient();
        try (Scope _ = Scope.open();
                Grad _ = Grad.disabled()) {
            Tensor a = tensor(part, Pair.A);
            Tensor b = tensor(part, Pair.B);
            Tensor r = tensor(part, LatentAdapter.R);
            Tensor update = g.sign().mul(new org.bytedeco.pytorch.Scalar(-0.01));
            assertThat(norm(update)).isCloseTo(0.01 * Math.sqrt(48 * 32), within(1e-5));
            float[] s = Tensors.floats(torch.linalg_svd(update, false, null).get1());
            double rest = 0;
            for (int i = 4; i < s.length; i++) {
                rest += (double) s[i] * s[i];
            }
            Tensor start = part.change(update);
            assertThat(Math.pow(norm(start.sub(update)), 2)).isCloseTo(rest, within(1e-5));
            assertThat(start.mul(g).sum().item_double()).isNegative();
            assertThat(Tensors.maxDifference(a.mm(a.t()), torch.eye(4))).isLessThan(1e-5);
            assertThat(Tensors.maxDifference(b.t().mm(b), torch.eye(4))).isLessThan(1e-5);
            float[] diagonal = Tensors.floats(torch.diag(r));
            for (int i = 0; i < 4; i++) {
                assertThat(diagonal[i]).isCloseTo(s[i], within(1e-5f));
            }
            assertThat(Tensors.maxDifference(r, torch.diag(torch.diag(r)))).isZero();
        }
    }

    @Test
    void create_smallRate_lowersTheLossOfTheEstimate() {
        TinyCalibration data = new TinyCalibration(model);
        stack.add("a", create(model, "{" + PASS + "'init_lr': 0.001, " + TARGETS + "}", new Seed(1)));
        try (Scope _ = Scope.open();
                Grad _ = Grad.disabled()) {
            double before = data.loss(0, 8).item_double();
            stack.activate("a");
            assertThat(data.loss(0, 8).item_double()).isLessThan(before);
        }
    }

    @Test
    void trainables_countSquaresOfTheRank() {
        assertThat(fresh("a").parameterCount()).isEqualTo(4 * 16);
    }

    @Test
    void parse_alphaUnlikeRank_isRefused() {
        assertThatThrownBy(() -> TinyModels.config("lora-sb", "{'r': 8, 'lora_alpha': 16}"))
                .isInstanceOf(LoricaException.BadInput.class)
                .hasMessageContaining("scaling of 1");
    }

    private static double norm(Tensor matrix) {
        return Math.sqrt(matrix.mul(matrix).sum().item_double());
    }
}
