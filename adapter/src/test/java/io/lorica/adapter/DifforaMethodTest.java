package io.lorica.adapter;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import io.lorica.tensor.DType;
import io.lorica.tensor.Grad;
import io.lorica.tensor.LoricaException;
import io.lorica.tensor.Scope;
import io.lorica.tensor.Seed;
import io.lorica.tensor.Tensors;
import java.nio.file.Path;
import java.util.List;
import java.util.Objects;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class DifforaMethodTest extends MethodContract {
    private static final String FOUR = "'r': 4, 'target_modules': ['q_proj', 'v_proj', 'o_proj', 'down_proj']";

    @Override
    String method() {
        return "diffora";
    }

    @Override
    String settings() {
        return "{'r': 4, " + TARGETS + "}";
    }

    @Override
    List<String> suffixes() {
        return List.of(".lora_A.weight", ".lora_B.weight");
    }

    /** The loss of {@link MethodContract#loss} on whatever examples are asked for. */
    private final class Data implements Calibration {
        int batches;

        @Override
        public int examples() {
            return 8;
        }

        @Override
        public void forward(long from, int count) {
            throw new AssertionError();
        }

        @Override
        public double backward(long from, int count) {
            batches++;
            return loss(true);
        }

        @Override
        public Tensor supervised(long from, int count) {
            throw new AssertionError();
        }
    }

    private Adapter create(String settings) {
        Adapter adapter = Adapter.create(model, TinyModels.config("diffora", settings), new Seed(1));
        stack.add("d", adapter);
        TinyModels.shake(adapter, 0.1);
        stack.activate("d");
        return adapter;
    }

    private static Tensor part(Adapter adapter, String name) {
        return Objects.requireNonNull(adapter.shared().tensors().get("diffora." + name));
    }

    private void fill(Adapter adapter, double value) {
        try (Scope _ = Scope.open();
                Grad _ = Grad.disabled()) {
            part(adapter, "logits").fill_(new Scalar(value));
        }
    }

    @Test
    void apply_extremeLogits_isPlainLoraOrTheBase() {
        float[] base = logits();
        Adapter adapter = create("{" + FOUR + "}");
        Adapter lora =
                Adapter.create(model, TinyModels.config("lora", "{'lora_alpha': 16, " + FOUR + "}"), new Seed(1));
        stack.add("lora", lora);
        try (Scope _ = Scope.open();
                Grad _ = Grad.disabled()) {
            lora.state().forEach((key, tensor) -> tensor.copy_(adapter.state().get(key)));
        }
        fill(adapter, -40);
        assertThat(TinyModels.difference(logits(), base)).isLessThan(1e-6);
        fill(adapter, 40);
        float[] open = logits();
        stack.activate("lora");
        assertThat(TinyModels.difference(open, logits())).isLessThan(1e-6);
    }

    @ParameterizedTest
    @CsvSource({"sigmoid", "softmax"})
    void backward_logits_matchFiniteDifferences(String relaxation) {
        Adapter adapter = create("{'relaxation': '" + relaxation + "', " + FOUR + "}");
        Tensor logits = part(adapter, "logits");
        try (Scope _ = Scope.open()) {
            logits.set_requires_grad(true);
            loss(true);
            float[] gradient = Tensors.floats(logits.grad());
            logits.set_requires_grad(false);
            for (int i = 0; i < gradient.length; i++) {
                double up = lossAt(logits, i, 0.02);
                double down = lossAt(logits, i, -0.02);
                assertThat((up - down) / 0.04)
                        .as("site " + i)
                        .isCloseTo(gradient[i], within(0.02 * Math.abs(gradient[i]) + 5e-3));
            }
        }
    }

    private double lossAt(Tensor logits, int at, double by) {
        try (Scope _ = Scope.open();
                Grad _ = Grad.disabled()) {
            logits.narrow(0, at, 1).add_(new Scalar(by));
            double loss = loss(false);
            logits.narrow(0, at, 1).sub_(new Scalar(by));
            return loss;
        }
    }

    @Test
    void search_steps_moveTheMatrixOrThePairsNeverBoth() {
        Adapter adapter = create("{'search_steps': 6, 'search_warmup': 2, " + FOUR + "}");
        TrainingRule rule = adapter.trainingRule(new Seed(1));
        Data data = new Data();
        assertThat(rule.lent(5, 20)).isEqualTo(0.5);
        assertThat(rule.lent(6, 20)).isZero();
        rule.borrow(data);
        List<float[]> pairs = values(adapter);
        rule.beforeStep(0, 20);
        rule.beforeStep(1, 20);
        assertThat(data.batches).isZero();
        assertThat(Tensors.floats(part(adapter, "logits"))).containsOnly(0);
        rule.beforeStep(2, 20);
        assertThat(data.batches).isEqualTo(1);
        assertThat(Tensors.floats(part(adapter, "logits"))).doesNotContain(0);
        assertThat(values(adapter)).usingRecursiveComparison().isEqualTo(pairs);
        try (Scope _ = Scope.open()) {
            assertThat(adapter.trainables())
                    .allMatch(t ->
                            t.tensor().requires_grad() && !t.tensor().grad().defined());
        }
    }

    private static List<float[]> values(Adapter adapter) {
        return adapter.trainables().stream()
                .map(t -> Tensors.floats(t.tensor()))
                .toList();
    }

    /** Ends the search with logits that rise with the site's number. */
    private TrainingRule chosen(Adapter adapter) {
        TrainingRule rule = adapter.trainingRule(new Seed(1));
        try (Scope _ = Scope.open();
                Grad _ = Grad.disabled()) {
            Tensor rising = torchRange(adapter.sites().size());
            part(adapter, "logits").copy_(rising);
            part(adapter, "average").copy_(rising);
        }
        rule.beforeStep(2, 20);
        return rule;
    }

    private static Tensor torchRange(int count) {
        float[] values = new float[count];
        for (int i = 0; i < count; i++) {
            values[i] = i;
        }
        return Tensors.of(values, count);
    }

    @Test
    void choose_keepRatio_keepsThatShareOfEachLayerAndStartsAnew() {
        float[] base = logits();
        Adapter adapter = create("{'keep_ratio': 0.5, 'search_steps': 2, 'share': 'none', " + FOUR + "}");
        chosen(adapter);
        assertThat(Tensors.floats(part(adapter, "chosen"))).containsExactly(0, 0, 1, 1, 0, 0, 1, 1);
        assertThat(adapter.trainables()).hasSize(2 * 4);
        assertThat(TinyModels.difference(logits(), base)).isLessThan(1e-6);
        TinyModels.shake(adapter, 0.1);
        assertThat(TinyModels.difference(logits(), base)).isGreaterThan(1e-3);
    }

    @Test
    void choose_global_keepsTheLargestOfTheModel() {
        Adapter adapter = create("{'keep_ratio': 0.25, 'scope': 'global', 'search_steps': 2, " + FOUR + "}");
        chosen(adapter);
        assertThat(Tensors.floats(part(adapter, "chosen"))).containsExactly(0, 0, 0, 0, 0, 0, 1, 1);
    }

    @Test
    void choose_withoutRestart_doesNotMoveTheKeptUpdates() {
        Adapter adapter =
                create("{'keep_ratio': 1, 'restart': false, 'share': 'none', 'search_steps': 2, " + FOUR + "}");
        TrainingRule rule = adapter.trainingRule(new Seed(1));
        float[] before = logits();
        rule.beforeStep(2, 20);
        assertThat(TinyModels.difference(logits(), before)).isLessThan(1e-6);
    }

    @Test
    void parameterCount_everySiteKept_isLoras() {
        Adapter adapter = create("{'keep_ratio': 1, 'search_steps': 2, " + FOUR + "}");
        chosen(adapter);
        try (Adapter lora = Adapter.create(model, TinyModels.config("lora", "{" + FOUR + "}"), new Seed(1))) {
            assertThat(adapter.parameterCount()).isEqualTo(lora.parameterCount());
        }
    }

    @ParameterizedTest
    @CsvSource({"kind", "kind_B", "none"})
    void save_afterTheSearch_isPlainLoraOnTheSitesThatAct(String share, @TempDir Path out) {
        Adapter adapter = create("{'search_steps': 2, 'share': '" + share + "', " + FOUR + "}");
        chosen(adapter);
        TinyModels.shake(adapter, 0.1);
        float[] before = logits();
        adapter.save(out);
        Adapter loaded = Adapter.load(model, out, LoadOptions.STRICT);
        assertThat(loaded.config().method().info().name()).isEqualTo("lora");
        assertThat(loaded.sites()).hasSize(share.equals("none") ? 4 : 8);
        stack.add("loaded", loaded);
        stack.activate("loaded");
        assertThat(TinyModels.difference(logits(), before)).isLessThan(1e-5);
        stack.activate("d");
        stack.merge(java.util.Map.of("d", 1.0), MergeOptions.of(DType.F32));
        assertThat(TinyModels.difference(logits(), before)).isLessThan(1e-4);
    }

    /** Each kind's shared B gets what its sites would give to copies of it. */
    @Test
    void backward_sharedPair_isTheSumOverItsSites() {
        Adapter adapter = create("{'keep_ratio': 0.01, 'search_steps': 2, 'r': 4, 'target_modules': ['q_proj']}");
        chosen(adapter);
        assertThat(adapter.trainables()).hasSize(2);
        TinyModels.shake(adapter, 0.1);
        Adapter copies = Adapter.create(
                model,
                TinyModels.config("lora", "{'r': 4, 'lora_alpha': 16, 'target_modules': ['q_proj']}"),
                new Seed(1));
        stack.add("copies", copies);
        try (Scope _ = Scope.open()) {
            Tensor b = adapter.trainables().stream()
                    .filter(t -> t.name().endsWith("lora_B"))
                    .findFirst()
                    .orElseThrow()
                    .tensor();
            Tensor a = adapter.trainables().stream()
                    .filter(t -> t.name().endsWith("lora_A"))
                    .findFirst()
                    .orElseThrow()
                    .tensor();
            try (Grad _ = Grad.disabled()) {
                copies.trainables().forEach(t -> t.tensor().copy_(t.name().contains("lora_B") ? b : a));
            }
            loss(true);
            stack.activate("copies");
            loss(true);
            Tensor sum = Tensors.zeros(DType.F32, Tensors.shape(b));
            for (Trainable t : copies.trainables()) {
                sum = t.name().contains("lora_B") ? sum.add(t.tensor().grad()) : sum;
            }
            assertThat(Tensors.maxDifference(b.grad(), sum))
                    .isLessThan(1e-5 * (1 + sum.abs().max().item_double()));
        }
    }

    @Test
    void beforeStep_searchLongerThanTheRun_isRefused() {
        Adapter adapter = create("{'search_steps': 20, " + FOUR + "}");
        assertThatThrownBy(() -> adapter.trainingRule(new Seed(1)).beforeStep(0, 20))
                .isInstanceOf(LoricaException.BadInput.class)
                .hasMessageContaining("search_steps");
    }
}
