package io.lorica.adapter;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import io.lorica.adapter.lowrank.Pair;
import io.lorica.adapter.lowrank.PairAdapter;
import io.lorica.model.Linear;
import io.lorica.model.Pass;
import io.lorica.tensor.DType;
import io.lorica.tensor.Grad;
import io.lorica.tensor.LoricaException;
import io.lorica.tensor.Scope;
import io.lorica.tensor.Seed;
import io.lorica.tensor.Tensors;
import java.util.List;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class AlloraMethodTest extends MethodContract {
    private static final double ETA = 1.5;

    @Override
    String method() {
        return "allora";
    }

    @Override
    String settings() {
        return settings("weight_row");
    }

    private static String settings(String rule) {
        return "{'r': 4, 'eta': 1.5, 'allora_rule': '" + rule + "', " + TARGETS + "}";
    }

    @Override
    boolean exactGradient() {
        return false; // that is the method
    }

    @Override
    List<String> suffixes() {
        return List.of(".lora_A.weight", ".lora_B.weight");
    }

    /** One site of an adapter with its factors, an input, and gradients by the rule. */
    private record Run(Tensor a, Tensor b, Tensor x, Tensor delta, Tensor y, Tensor da, Tensor db, Tensor dx) {}

    private Run run(String rule, boolean zeroB) {
        Adapter adapter = Adapter.create(model, TinyModels.config("allora", settings(rule)), new Seed(1));
        stack.add(rule, adapter);
        PairAdapter part = (PairAdapter) adapter.sites().firstEntry().getValue();
        Linear site = (Linear) part.site();
        Pair pair = part.pair();
        if (!zeroB) {
            try (Grad _ = Grad.disabled()) {
                pair.b().normal_(0, 1, new Seed(2).generator());
            }
        }
        Tensor x = random(3, 5, site.in()).requires_grad_(true);
        Tensor delta = random(4, 5, site.out());
        Tensor zero = Tensors.zeros(DType.F32, 5, site.out());
        Tensor y = part.apply(x, zero, zero, 1, Pass.training(new Seed(1)));
        y.mul(delta).sum().backward();
        return new Run(
                pair.a().detach(),
                pair.b().detach(),
                x.detach(),
                delta,
                y,
                pair.a().grad(),
                pair.b().grad(),
                x.grad());
    }

    private static Tensor random(long seed, long... shape) {
        return Tensors.empty(DType.F32, shape).normal_(0, 1, new Seed(seed).generator());
    }

    private static void assertNear(Tensor actual, Tensor expected, String what) {
        double size = expected.abs().max().item_double();
        assertThat(Tensors.maxDifference(actual, expected)).as(what).isLessThan(1e-5 * (1 + size));
    }

    /** {@code c} by the explicit product, {@code [out]}. */
    private static Tensor rowFactors(Tensor b, Tensor a) {
        Tensor norms = b.mm(a).square().sum(1).sqrt();
        return norms.add(new Scalar(1 / (ETA * ETA))).rsqrt();
    }

    @Test
    void backward_weightRow_scalesRowsForTheFactorsAndNotForTheInput() {
        try (Scope _ = Scope.open()) {
            Run run = run("weight_row", false);
            try (Grad _ = Grad.disabled()) {
                Tensor scaled = run.delta().mul(rowFactors(run.b(), run.a()));
                assertNear(run.y(), run.x().mm(run.a().t()).mm(run.b().t()), "y");
                assertNear(run.db(), scaled.t().mm(run.x().mm(run.a().t())), "dB");
                assertNear(run.da(), scaled.mm(run.b()).t().mm(run.x()), "dA");
                assertNear(run.dx(), run.delta().mm(run.b()).mm(run.a()), "dx");
            }
        }
    }

    @Test
    void backward_output_scalesEachTokenByItsOwnOutput() {
        try (Scope _ = Scope.open()) {
            Run run = run("output", false);
            try (Grad _ = Grad.disabled()) {
                Tensor own = run.x().mm(run.a().t()).mm(run.b().t());
                Tensor c = own.abs().add(new Scalar(1 / (ETA * ETA))).rsqrt();
                Tensor scaled = run.delta().mul(c);
                assertNear(run.y(), own, "y");
                assertNear(run.db(), scaled.t().mm(run.x().mm(run.a().t())), "dB");
                assertNear(run.da(), scaled.mm(run.b()).t().mm(run.x()), "dA");
                assertNear(run.dx(), run.delta().mm(run.b()).mm(run.a()), "dx");
            }
        }
    }

    @ParameterizedTest
    @CsvSource({"weight_row, 1.5", "constant, 1.5", "none, 1", "factor_row, 1.5"})
    void backward_freshFactors_givesBTheLargestFactorAndANothing(String rule, double factor) {
        try (Scope _ = Scope.open()) {
            Run run = run(rule, true);
            try (Grad _ = Grad.disabled()) {
                Tensor plain = run.delta().t().mm(run.x().mm(run.a().t()));
                assertNear(run.db(), plain.mul(new Scalar(factor)), "dB");
                assertThat(run.da().abs().max().item_double()).isZero();
            }
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"weight_row", "constant", "none", "output", "factor_row"})
    void forward_everyRule_isLoraOfScaleOneBitForBit(String rule) {
        Adapter adapter = Adapter.create(model, TinyModels.config("allora", settings(rule)), new Seed(1));
        stack.add("a", adapter);
        TinyModels.shake(adapter, 0.3);
        Adapter lora = Adapter.create(
                model, TinyModels.config("lora", "{'r': 4, 'lora_alpha': 4, " + TARGETS + "}"), new Seed(1));
        stack.add("lora", lora);
        copyState(adapter, lora);
        stack.activate("lora");
        float[] expected = logits();
        double loss = loss(true);
        stack.activate("a");
        assertThat(logits()).isEqualTo(expected);
        assertThat(loss(true)).isEqualTo(loss);
    }

    /** Norms 0.75 and 3.75 at eta 2: 1 / sqrt(0.75 + 0.25) and 1 / sqrt(3.75 + 0.25). */
    @Test
    void update_knownNorms_movesRowsByTheirFactors() {
        Adapter adapter = Adapter.create(
                model, TinyModels.config("allora", "{'r': 1, 'apply_to': 'update', " + TARGETS + "}"), new Seed(1));
        stack.add("a", adapter);
        Pair pair = ((PairAdapter) adapter.sites().firstEntry().getValue()).pair();
        TrainingRule rule = adapter.trainingRule(new Seed(1));
        try (Scope _ = Scope.open();
                Grad _ = Grad.disabled()) {
            pair.a().zero_().narrow(1, 0, 1).fill_(new Scalar(1));
            pair.b().fill_(new Scalar(0.75)).narrow(0, 1, 1).fill_(new Scalar(-3.75));
            rule.beforeUpdate(0);
            pair.b().add_(new Scalar(0.1));
            rule.afterUpdate(0);
            float[] b = Tensors.floats(pair.b());
            assertThat((double) b[0]).isCloseTo(0.75 + 0.1, within(1e-6));
            assertThat((double) b[1]).isCloseTo(-3.75 + 0.05, within(1e-6));
        }
    }

    @Test
    void parse_dropoutOrScale_isRefused() {
        for (String settings : List.of(
                "{'lora_dropout': 0.1}",
                "{'r': 4, 'lora_alpha': 8}",
                "{'eta': 0}",
                "{'allora_rule': 'output', 'apply_to': 'update'}")) {
            assertThatThrownBy(() -> TinyModels.config("allora", settings))
                    .as(settings)
                    .isInstanceOf(LoricaException.BadInput.class);
        }
    }
}
