package io.lorica.adapter;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import io.lorica.model.Pass;
import io.lorica.tensor.DType;
import io.lorica.tensor.SafetensorsFile;
import io.lorica.tensor.Scope;
import io.lorica.tensor.Seed;
import io.lorica.tensor.TensorSource;
import io.lorica.tensor.Tensors;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.SequencedMap;
import java.util.TreeMap;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class RandloraMethodTest extends MethodContract {
    @Override
    String method() {
        return "randlora";
    }

    /** 5 divides neither 32 nor 48. */
    @Override
    String settings() {
        return "{'r': 5, 'randlora_alpha': 5, " + TARGETS + "}";
    }

    @Override
    List<String> suffixes() {
        return List.of(".randlora_lambda", ".randlora_gamma");
    }

    @Override
    List<String> sharedKeys() {
        return List.of("base_model.randlora_A", "base_model.randlora_B");
    }

    @ParameterizedTest
    @ValueSource(strings = {"randlora", "randlora-very-sparse"})
    void share_sameKey_drawsTheBasesThatPeftDrew(String fixture) {
        Path directory = TinyModels.peft(fixture);
        AdapterConfig config = AdapterConfig.read(directory);
        Adapter adapter = Adapter.create(model, config, new Seed(1));
        stack.add("a", adapter);
        try (Scope _ = Scope.open();
                TensorSource peft = SafetensorsFile.open(directory.resolve("adapter_model.safetensors"))) {
            adapter.shared()
                    .tensors()
                    .forEach((key, tensor) -> assertThat(Tensors.floats(tensor))
                            .as(key)
                            .isEqualTo(Tensors.floats(peft.read("base_model." + key))));
        }
    }

    @Test
    void share_dense_hasUnitDeviationAndSparseThreeValues() {
        String sparse = "{'r': 2, 'sparse': true, 'target_modules': ['q_proj']}";
        Adapter adapter = Adapter.create(model, TinyModels.config("randlora", sparse), new Seed(1));
        stack.add("a", adapter);
        float[] b = Tensors.floats(tensor(adapter.shared().tensors(), "randlora_B"));
        Map<Float, Integer> counts = new TreeMap<>();
        double square = 0;
        for (float value : b) {
            counts.merge(value, 1, Integer::sum);
            square += (double) value * value;
        }
        assertThat(counts).hasSize(3);
        assertThat(counts.getOrDefault(0f, 0) / (double) b.length).isBetween(0.62, 0.71);
        assertThat(Math.sqrt(square / b.length)).isBetween(0.99, 1.01);
    }

    /** The order of the flattened indices, element by element; a sum over whole bases gives other numbers. */
    @ParameterizedTest
    @ValueSource(strings = {"model.layers.0.self_attn.q_proj", "model.layers.0.mlp.down_proj"})
    void change_anySite_followsTheFlattenedOrder(String name) {
        Adapter adapter = shaken("a");
        SiteAdapter part = Objects.requireNonNull(adapter.sites().get(name));
        int r = 5;
        int n = 7;
        int d = 32;
        int large = 48;
        try (Scope _ = Scope.open()) {
            float[] a = Tensors.floats(tensor(adapter.shared().tensors(), "randlora_A")); // [5, 1, 48]
            float[] b = Tensors.floats(tensor(adapter.shared().tensors(), "randlora_B")); // [48, 10, 5]
            float[] lambda = Tensors.floats(tensor(part.tensors(), "randlora_lambda"));
            float[] gamma = Tensors.floats(tensor(part.tensors(), "randlora_gamma"));
            double[] expected = new double[large * d];
            for (int p = 0; p < r * n; p++) {
                for (int o = 0; o < large; o++) {
                    for (int j = 0; j < d; j++) {
                        double u = lambda[p / n * n + p % n] * a[p / n * 48 + j] * gamma[p % n * d + j];
                        expected[o * d + j] += b[o * 50 + p / r * 5 + p % r] * u; // s = 1
                    }
                }
            }
            Tensor change = part.change(part.site().weight().frozen());
            float[] found = Tensors.floats(name.endsWith("down_proj") ? change.t() : change);
            for (int i = 0; i < expected.length; i++) {
                assertThat((double) found[i]).isCloseTo(expected[i], within(1e-5));
            }
            assertThat(torch.linalg_matrix_rank(change).item_long()).isEqualTo(d);
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"model.layers.0.self_attn.q_proj", "model.layers.0.mlp.down_proj"})
    void backward_blockByBlock_equalsLibtorchThroughTheWholeChange(String name) {
        Adapter adapter = shaken("a");
        SiteAdapter part = Objects.requireNonNull(adapter.sites().get(name));
        try (Scope _ = Scope.open()) {
            Tensor x = random(3, part.site().in());
            Tensor zero = Tensors.zeros(DType.F32, 9, part.site().out());
            part.apply(x, zero, zero, 1, Pass.inference()).sin().sum().backward();
            float[] dx = Tensors.floats(x.grad());
            float[] dLambda =
                    Tensors.floats(tensor(part.tensors(), "randlora_lambda").grad());
            float[] dGamma =
                    Tensors.floats(tensor(part.tensors(), "randlora_gamma").grad());

            Tensor x2 = random(3, part.site().in());
            Tensor lambda =
                    tensor(part.tensors(), "randlora_lambda").detach().clone().requires_grad_(true);
            Tensor gamma =
                    tensor(part.tensors(), "randlora_gamma").detach().clone().requires_grad_(true);
            Tensor a = tensor(adapter.shared().tensors(), "randlora_A").narrow(2, 0, 32);
            Tensor v = tensor(adapter.shared().tensors(), "randlora_B")
                    .narrow(1, 0, 7)
                    .reshape(48, 35);
            Tensor u = a.mul(lambda.unsqueeze(2)).mul(gamma.unsqueeze(0)).reshape(35, 32);
            Tensor change = part.site().in() == 32 ? v.mm(u) : v.mm(u).t();
            x2.mm(change.t()).sin().sum().backward();
            assertThat(TinyModels.difference(dx, Tensors.floats(x2.grad()))).isLessThan(1e-5);
            assertThat(TinyModels.difference(dLambda, Tensors.floats(lambda.grad())))
                    .isLessThan(1e-4);
            assertThat(TinyModels.difference(dGamma, Tensors.floats(gamma.grad())))
                    .isLessThan(1e-4);
        }
    }

    private static Tensor random(long seed, long in) {
        return Tensors.empty(DType.F32, 9, in)
                .normal_(0, 1, new Seed(seed).generator())
                .requires_grad_(true);
    }

    @Test
    void backward_firstStep_movesLambdaOnly() {
        Adapter adapter = fresh("a");
        stack.activate("a");
        loss(true);
        try (Scope _ = Scope.open()) {
            adapter.sites().forEach((name, part) -> {
                assertThat(tensor(part.tensors(), "randlora_gamma")
                                .grad()
                                .abs()
                                .max()
                                .item_double())
                        .isZero();
                assertThat(tensor(part.tensors(), "randlora_lambda")
                                .grad()
                                .abs()
                                .max()
                                .item_double())
                        .isPositive();
            });
        }
    }

    @Test
    void parameterCount_oneSite_isBasesTimesRankPlusSmallerSide() {
        assertThat(fresh("a").parameterCount()).isEqualTo(4 * 7 * (5 + 32));
    }

    @Test
    void save_authorsScaling_computesTheSameUnderPeftsScaling(@TempDir Path out) {
        String settings = settings().replace("'r'", "'randlora_scaling': 'official', 'r'");
        Adapter adapter = Adapter.create(model, TinyModels.config("randlora", settings), new Seed(1));
        stack.add("a", adapter);
        TinyModels.shake(adapter, 0.1);
        stack.activate("a");
        float[] before = logits();
        adapter.save(out);
        stack.add("b", Adapter.load(model, out, LoadOptions.STRICT));
        stack.activate("b");
        assertThat(TinyModels.difference(logits(), before)).isLessThan(1e-5);
        assertThat(AdapterConfig.read(out).toJson().has("randlora_scaling")).isFalse();
    }

    @Test
    void load_onlyCopiesAtTheSites_areEnough(@TempDir Path out) throws Exception {
        Path directory = TinyModels.peft("randlora");
        Files.copy(directory.resolve("adapter_config.json"), out.resolve("adapter_config.json"));
        Adapter whole = Adapter.load(model, directory, LoadOptions.STRICT);
        stack.add("whole", whole);
        try (Scope _ = Scope.open();
                TensorSource source = SafetensorsFile.open(directory.resolve("adapter_model.safetensors"))) {
            SequencedMap<String, Tensor> kept = new LinkedHashMap<>();
            source.names().stream()
                    .filter(name -> !sharedKeys().contains(name))
                    .forEach(name -> kept.put(name, source.read(name)));
            SafetensorsFile.write(out.resolve("adapter_model.safetensors"), kept, Map.of());
        }
        stack.add("copies", Adapter.load(model, out, LoadOptions.STRICT));
        stack.activate("whole");
        float[] expected = logits();
        stack.activate("copies");
        assertThat(logits()).isEqualTo(expected);
    }

    private static Tensor tensor(Map<String, Tensor> tensors, String key) {
        return Objects.requireNonNull(tensors.get(key), key);
    }
}
