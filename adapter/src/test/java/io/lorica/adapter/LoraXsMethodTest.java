package io.lorica.adapter;

import static org.assertj.core.api.Assertions.assertThat;

import io.lorica.adapter.lowrank.LatentAdapter;
import io.lorica.adapter.lowrank.LowRank;
import io.lorica.adapter.lowrank.Pair;
import io.lorica.adapter.lowrank.Start;
import io.lorica.model.Linear;
import io.lorica.tensor.Grad;
import io.lorica.tensor.Scope;
import io.lorica.tensor.Seed;
import io.lorica.tensor.Tensors;
import java.nio.file.Path;
import java.util.List;
import java.util.Objects;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class LoraXsMethodTest extends MethodContract {
    private static final String SITE = "model.layers.0.self_attn.q_proj"; // [48, 32]

    @Override
    String method() {
        return "lora-xs";
    }

    @Override
    double startTolerance() {
        return 1e-3; // R starts at 1e-5, not at zero
    }

    @Override
    List<String> suffixes() {
        return List.of(".lora_A.weight", ".lora_B.weight");
    }

    private LatentAdapter part(Adapter adapter) {
        return (LatentAdapter) Objects.requireNonNull(adapter.sites().get(SITE));
    }

    private static Tensor tensor(SiteAdapter part, String suffix) {
        return Objects.requireNonNull(part.tensors().get(suffix)).detach();
    }

    @Test
    void create_fullRankAndIdentity_isTheWeightItself() {
        Adapter adapter = create(model, "{'r': 32, 'lora_alpha': 64, " + TARGETS + "}", new Seed(1));
        stack.add("a", adapter);
        try (Scope _ = Scope.open();
                Grad _ = Grad.disabled()) {
            LatentAdapter part = part(adapter);
            part.r().copy_(torch.eye(32).mul(new Scalar(0.5))); // I / s
            Tensor w = Start.frozen((Linear) part.site());
            assertThat(Tensors.maxDifference(part.change(w), w)).isLessThan(1e-5);
        }
    }

    @Test
    void change_asymmetricR_isBRA() {
        LatentAdapter part = part(shaken("a"));
        try (Scope _ = Scope.open()) {
            Tensor expected = tensor(part, Pair.B)
                    .mm(part.r().detach())
                    .mm(tensor(part, Pair.A))
                    .mul(new Scalar(2.0));
            assertThat(Tensors.maxDifference(part.change(part.site().weight().frozen()), expected))
                    .isLessThan(1e-6);
        }
    }

    @Test
    void trainables_countSquaresOfTheRank() {
        assertThat(fresh("a").parameterCount()).isEqualTo(4 * 16);
    }

    @Test
    void save_shaken_isPlainLoraOfTheSameRank(@TempDir Path out) {
        shaken("a").save(out);
        Adapter loaded = Adapter.load(model, out, LoadOptions.STRICT);
        stack.add("b", loaded);
        assertThat(loaded.config().method().info().name()).isEqualTo("lora");
        assertThat(loaded.config().toJson().get("r").asInt()).isEqualTo(4);
    }

    /** Of all changes s B h A, that of the preconditioned gradient is nearest to the weight's own. */
    @Test
    void preconditioned_anyGradient_isItsProjection() {
        LatentAdapter part = part(fresh("a"));
        try (Scope _ = Scope.open();
                Grad _ = Grad.disabled()) {
            Tensor a = tensor(part, Pair.A);
            Tensor b = tensor(part, Pair.B);
            Tensor g = LowRank.normal(new Seed(9), 48, 32);
            Tensor ofR = b.t().mm(g).mm(a.t()).mul(new Scalar(2.0));
            Tensor nearest = part.equivalent(part.preconditioned(ofR));
            double distance = norm(g.sub(nearest));
            for (int i = 0; i < 100; i++) {
                Tensor other = part.equivalent(LowRank.normal(new Seed(i), 4, 4));
                assertThat(distance).isLessThan(norm(g.sub(other)));
            }
            Tensor projected = b.mm(b.t()).mm(g).mm(torch.linalg_pinv(a)).mm(a);
            assertThat(Tensors.maxDifference(nearest, projected)).isLessThan(1e-4);
        }
    }

    @Test
    void trainingRule_precondition_replacesTheGradient() {
        Adapter adapter = create(model, "{'r': 4, 'precondition': true, " + TARGETS + "}", new Seed(1));
        stack.add("a", adapter);
        TinyModels.shake(adapter, 0.1);
        stack.activate("a");
        loss(true);
        LatentAdapter part = part(adapter);
        try (Scope _ = Scope.open();
                Grad _ = Grad.disabled()) {
            Tensor before = part.r().grad().clone();
            adapter.trainingRule(new Seed(1)).beforeUpdate(1);
            assertThat(Tensors.maxDifference(part.r().grad(), part.preconditioned(before)))
                    .isLessThan(1e-6);
            assertThat(Tensors.maxDifference(part.r().grad(), before)).isGreaterThan(1e-4);
        }
    }

    private static double norm(Tensor matrix) {
        return Math.sqrt(matrix.mul(matrix).sum().item_double());
    }
}
