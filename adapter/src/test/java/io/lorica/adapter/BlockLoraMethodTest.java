package io.lorica.adapter;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.lorica.model.Linear;
import io.lorica.model.Parameter;
import io.lorica.model.Pass;
import io.lorica.tensor.DType;
import io.lorica.tensor.Grad;
import io.lorica.tensor.LoricaException;
import io.lorica.tensor.SafetensorsFile;
import io.lorica.tensor.Scope;
import io.lorica.tensor.Seed;
import io.lorica.tensor.TensorSource;
import io.lorica.tensor.Tensors;
import java.nio.file.Path;
import java.util.List;
import java.util.Objects;
import org.bytedeco.pytorch.Tensor;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class BlockLoraMethodTest extends MethodContract {
    private static final Path EXPECTED = Path.of("src/test/resources/block-lora/expected.safetensors");

    @Override
    String method() {
        return "block-lora";
    }

    @Override
    String settings() {
        return "{'r': 4, 'num_blocks': 4, 'alpha': 4, 'dropout_rate': 0, " + TARGETS + "}";
    }

    /** 5 divides neither 32 nor 48 inputs. */
    @Override
    String impossible() {
        return "{'num_blocks': 5, " + TARGETS + "}";
    }

    @Override
    List<String> suffixes() {
        return List.of(".block_lora_A", ".block_lora_B");
    }

    @ParameterizedTest
    @CsvSource({"input-8, input, 8, 2", "input-4, input, 4, 3", "rank-2, rank, 2, 4", "single, input, 1, 2"})
    void apply_givenFactors_equalsTheBlocksWrittenOut(String name, String mode, int blocks, int r) {
        try (TensorSource expected = SafetensorsFile.open(EXPECTED);
                Scope _ = Scope.open();
                SiteAdapter part = site(expected.read(name + ".w"), mode, blocks, r)) {
            Tensor head = set(part, "block_lora_A", expected.read(name + ".head"));
            Tensor arms = set(part, "block_lora_B", expected.read(name + ".arms"));
            Tensor x = expected.read(name + ".x");
            Tensor base = ((Linear) part.site()).base(x);
            Tensor y = part.apply(x, base, base, 1, Pass.inference());
            assertThat(Tensors.maxDifference(y, expected.read(name + ".y"))).isLessThan(1e-4);
            y.mul(expected.read(name + ".weights")).sum().backward();
            assertThat(Tensors.maxDifference(head.grad(), expected.read(name + ".head_grad")))
                    .isLessThan(1e-4);
            assertThat(Tensors.maxDifference(arms.grad(), expected.read(name + ".arms_grad")))
                    .isLessThan(1e-4);
            Tensor change = part.change(expected.read(name + ".w"));
            assertThat(Tensors.maxDifference(change, expected.read(name + ".change")))
                    .isLessThan(1e-5);
        }
    }

    @Test
    void apply_chunksExchanged_changesNothing() {
        try (TensorSource expected = SafetensorsFile.open(EXPECTED);
                Scope _ = Scope.open();
                SiteAdapter part = site(expected.read("input-4.w"), "input", 4, 3)) {
            set(part, "block_lora_A", expected.read("input-4.head"));
            set(part, "block_lora_B", expected.read("input-4.arms"));
            Tensor x = expected.read("input-4.x");
            Tensor turned = x.roll(new long[] {6}, -1);
            Tensor nothing = Tensors.zeros(DType.F32, 2, 3, 16);
            assertThat(Tensors.maxDifference(
                            part.apply(turned, nothing, nothing, 1, Pass.inference()),
                            part.apply(x, nothing, nothing, 1, Pass.inference())))
                    .isLessThan(1e-5);
        }
    }

    @ParameterizedTest
    @CsvSource({"input", "rank"})
    void apply_oneBlock_isLoraScaledByTheRootOfTheRank(String mode) {
        Adapter block = Adapter.create(
                model,
                TinyModels.config(
                        "block-lora",
                        "{'r': 4, 'num_blocks': 1, 'block_mode': '" + mode + "', 'alpha': 6, 'dropout_rate': 0, "
                                + TARGETS + "}"),
                new Seed(5));
        Adapter lora = Adapter.create(
                model,
                TinyModels.config("lora", "{'r': 4, 'lora_alpha': 6, 'use_rslora': true, " + TARGETS + "}"),
                new Seed(5));
        stack.add("block", block);
        stack.add("lora", lora);
        TinyModels.shake(block, 0.1, new Seed(3));
        try (Scope _ = Scope.open();
                Grad _ = Grad.disabled()) {
            lora.sites().forEach((name, part) -> {
                SiteAdapter twin = Objects.requireNonNull(block.sites().get(name));
                set(part, "lora_A.weight", tensor(twin, "block_lora_A"));
                set(part, "lora_B.weight", tensor(twin, "block_lora_B"));
            });
        }
        stack.activate("block");
        float[] logits = logits();
        stack.activate("lora");
        assertThat(TinyModels.difference(logits(), logits)).isLessThan(1e-6);
    }

    @Test
    void create_oneBlock_startsAsLora() {
        Adapter block = Adapter.create(
                model, TinyModels.config("block-lora", "{'r': 4, 'num_blocks': 1, " + TARGETS + "}"), new Seed(5));
        Adapter lora = Adapter.create(model, TinyModels.config("lora", "{'r': 4, " + TARGETS + "}"), new Seed(5));
        stack.add("block", block);
        stack.add("lora", lora);
        lora.sites()
                .forEach((name, part) -> assertThat(Tensors.floats(tensor(part, "lora_A.weight")))
                        .isEqualTo(Tensors.floats(
                                tensor(Objects.requireNonNull(block.sites().get(name)), "block_lora_A"))));
    }

    @Test
    void backward_fresh_movesTheArmsAndNotYetTheHead() {
        Adapter adapter = fresh("a");
        stack.activate("a");
        loss(true);
        try (Scope _ = Scope.open()) {
            for (Trainable trainable : adapter.trainables()) {
                double norm = trainable.tensor().grad().norm().item_double();
                if (trainable.name().endsWith("block_lora_A")) {
                    assertThat(norm).as(trainable.name()).isZero();
                } else {
                    assertThat(norm).as(trainable.name()).isPositive();
                }
            }
        }
    }

    @Test
    void parameterCount_ofBothModes_isTheFormulas() {
        // Two layers of q_proj [48 x 32] and down_proj [32 x 48].
        assertThat(fresh("a").parameterCount()).isEqualTo(2 * (4 * (48 + 32 / 4) + 4 * (32 + 48 / 4)));
        Adapter rank = Adapter.create(
                model,
                TinyModels.config("block-lora", "{'r': 4, 'num_blocks': 4, 'block_mode': 'rank', " + TARGETS + "}"),
                new Seed(1));
        stack.add("rank", rank);
        assertThat(rank.parameterCount()).isEqualTo(2 * (4 * 48 + 32 + 4 * 32 + 48));
    }

    @ParameterizedTest
    @CsvSource({"input, 4", "rank, 2"})
    void save_asLora_givesTheSameLogitsThroughLora(String mode, int blocks, @TempDir Path out) {
        Adapter adapter = Adapter.create(
                model,
                TinyModels.config(
                        "block-lora",
                        "{'r': 4, 'num_blocks': " + blocks + ", 'block_mode': '" + mode
                                + "', 'alpha': 4, 'save_as': 'lora', " + TARGETS + "}"),
                new Seed(5));
        stack.add("a", adapter);
        TinyModels.shake(adapter, 0.1, new Seed(3));
        stack.activate("a");
        float[] logits = logits();
        adapter.save(out);
        Adapter read = Adapter.load(model, out, LoadOptions.STRICT);
        stack.add("b", read);
        stack.activate("b");
        assertThat(read.config().method().info().name()).isEqualTo("lora");
        assertThat(TinyModels.difference(logits(), logits)).isLessThan(1e-5);
    }

    @Test
    void parse_rankThatBlocksDoNotDivide_isRefused() {
        assertThatThrownBy(() -> TinyModels.config("block-lora", "{'r': 2, 'num_blocks': 8, 'block_mode': 'rank'}"))
                .isInstanceOf(LoricaException.BadInput.class)
                .hasMessageContaining("num_blocks 8 does not divide r 2");
    }

    private static SiteAdapter site(Tensor weight, String mode, int blocks, int r) {
        AdapterConfig config = TinyModels.config(
                "block-lora",
                "{'r': " + r + ", 'num_blocks': " + blocks + ", 'block_mode': '" + mode
                        + "', 'alpha': 3, 'target_modules': ['q']}");
        Linear linear = new Linear("q", new Parameter("q.weight", weight), null, false);
        return config.method().adapt(config.settings(), linear, Shared.NOTHING, new Seed(0));
    }

    private static Tensor set(SiteAdapter part, String suffix, Tensor value) {
        Tensor target = tensor(part, suffix);
        try (Grad _ = Grad.disabled()) {
            target.copy_(value);
        }
        return target.set_requires_grad(true);
    }

    private static Tensor tensor(SiteAdapter part, String suffix) {
        return Objects.requireNonNull(part.tensors().get(suffix), suffix);
    }
}
