package io.lorica.adapter;

import static org.assertj.core.api.Assertions.assertThat;

import io.lorica.adapter.lowrank.Pair;
import io.lorica.model.BaseModel;
import io.lorica.model.Batch;
import io.lorica.model.CausalModel;
import io.lorica.model.Pass;
import io.lorica.tensor.DType;
import io.lorica.tensor.Grad;
import io.lorica.tensor.SafetensorsFile;
import io.lorica.tensor.Scope;
import io.lorica.tensor.Seed;
import io.lorica.tensor.TensorSource;
import io.lorica.tensor.Tensors;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.function.BiConsumer;
import java.util.stream.Stream;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Methods that PEFT does not have compute what their formulas give in PyTorch (make_formula_fixtures.py in bench/peers, which
 * says what a file holds): the start, the outputs, and the gradients that the optimizer sees.
 */
class FormulaParityTest {
    private static final Path FORMULAS = Path.of("src", "test", "resources", "formulas");
    private static final String SETTINGS = "settings.";
    private static final Pass TRAINING = Pass.training(new Seed(0));

    static List<Arguments> cases() throws IOException {
        List<Arguments> cases = new ArrayList<>();
        try (Stream<Path> files = Files.list(FORMULAS)) {
            for (Path file : files.sorted().toList()) {
                String method = file.getFileName().toString().replace(".safetensors", "");
                try (TensorSource source = SafetensorsFile.open(file)) {
                    source.metadata().keySet().stream()
                            .filter(key -> key.startsWith(SETTINGS))
                            .map(key -> Arguments.of(method, key.substring(SETTINGS.length())))
                            .forEach(cases::add);
                }
            }
        }
        return cases;
    }

    @ParameterizedTest
    @MethodSource("cases")
    void method_sameSettings_sameStartOutputsAndGradients(String method, String name) {
        try (TensorSource source = SafetensorsFile.open(FORMULAS.resolve(method + ".safetensors"));
                BaseModel model = TinyModels.open("llama-biases", DType.F32);
                AdapterStack stack = new AdapterStack(model)) {
            List<long[]> examples = examples(source);
            TinyCalibration data = new TinyCalibration(model, examples);
            String settings = Objects.requireNonNull(source.metadata().get(SETTINGS + name));
            Adapter adapter = Adapter.create(model, TinyModels.config(method, settings), data, new Seed(1));
            stack.add("a", adapter);
            Case expected = new Case(source, name, adapter);
            expected.each("start", (key, tensor) -> assertClose(key, expected.own(key), tensor, 1e-4));
            give(expected);
            TrainingRule rule = adapter.trainingRule(new Seed(2));
            rule.beforeStep(Long.parseLong(source.metadata().get("step." + name)), 10);
            stack.activate("a");
            learn(expected);
            try (Scope _ = Scope.open()) {
                Tensor logits = ((CausalModel) model).logits(Batch.of(examples), TRAINING);
                assertThat(Tensors.maxDifference(logits.detach(), source.read(name + ".logits")))
                        .isLessThan(1e-5);
                data.loss(0, examples.size(), TRAINING).backward();
            }
            rule.beforeUpdate(0);
            expected.each(
                    "grad", (key, tensor) -> assertClose(key, expected.own(key).grad(), tensor, 1e-4));
        }
    }

    private static List<long[]> examples(TensorSource source) {
        try (Scope _ = Scope.open()) {
            Tensor data = source.read("data");
            return Stream.iterate(0, i -> i + 1)
                    .limit(data.size(0))
                    .map(i -> Tensors.longs(data.select(0, i)))
                    .toList();
        }
    }

    private static void give(Case expected) {
        try (Grad _ = Grad.disabled()) {
            expected.each("set", (key, tensor) -> expected.own(key).copy_(tensor));
        }
    }

    /** What a method moves by itself (DiffoRA's logits) learns here as well; anything else must be learning already. */
    private static void learn(Case expected) {
        expected.each("grad", (key, _) -> {
            if (key.equals("diffora.logits")) {
                expected.own(key).set_requires_grad(true);
            }
        });
    }

    private static void assertClose(String key, Tensor actual, Tensor expected, double share) {
        assertThat(Tensors.shape(actual)).as(key).isEqualTo(Tensors.shape(expected));
        double size = expected.abs().max().item_double();
        assertThat(size).as(key).isPositive();
        assertThat(Tensors.maxDifference(actual.detach(), expected) / size)
                .as(key)
                .isLessThan(share);
    }

    /**
     * One case of a file. Singular vectors are defined up to their sign: where the start has other signs than here, A being
     * {@code diag(p) A'} and B {@code B' diag(q)} of the file's, its other tensors are turned alike.
     */
    private record Case(TensorSource source, String name, Adapter adapter) {

        void each(String kind, BiConsumer<String, Tensor> use) {
            String prefix = name + "." + kind + ".";
            try (Scope _ = Scope.open()) {
                source.names().stream()
                        .filter(key -> key.startsWith(prefix))
                        .map(key -> key.substring(prefix.length()))
                        .forEach(key -> use.accept(key, turned(kind, key, source.read(prefix + key))));
            }
        }

        /** The adapter's tensor of that name. */
        Tensor own(String key) {
            Tensor shared = adapter.shared().tensors().get(key);
            if (shared != null) {
                return shared;
            }
            return adapter.sites().entrySet().stream()
                    .filter(site -> key.startsWith(site.getKey() + "."))
                    .map(site -> site.getValue()
                            .tensors()
                            .get(key.substring(site.getKey().length() + 1)))
                    .findFirst()
                    .orElseThrow();
        }

        private Tensor turned(String kind, String key, Tensor tensor) {
            String site = adapter.sites().keySet().stream()
                    .filter(key::startsWith)
                    .findFirst()
                    .orElse("");
            boolean gradient = kind.equals("grad");
            return switch (key.substring(Math.min(key.length(), site.length() + 1))) {
                case Pair.A -> rows(tensor, gradient ? signs(site, Pair.B, 0) : signs(site, Pair.A, 1));
                case Pair.B ->
                    rows(tensor.t(), gradient ? signs(site, Pair.A, 1) : signs(site, Pair.B, 0))
                            .t();
                case "lora_latent_mapping.weight" ->
                    rows(rows(tensor, signs(site, Pair.B, 0)).t(), signs(site, Pair.A, 1))
                            .t();
                default -> tensor;
            };
        }

        private static Tensor rows(Tensor tensor, @Nullable Tensor signs) {
            return signs == null ? tensor : tensor.mul(signs.unsqueeze(1));
        }

        /** Signs that the vectors of a factor, summed along {@code dim}, have against those of the file's start. */
        private @Nullable Tensor signs(String site, String factor, long dim) {
            String key = name + ".start." + site + "." + factor;
            return source.names().contains(key)
                    ? own(site + "." + factor)
                            .detach()
                            .mul(source.read(key))
                            .sum(dim)
                            .sign()
                    : null;
        }
    }
}
