package io.lorica.adapter;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.JsonNode;
import io.lorica.adapter.lowrank.Pair;
import io.lorica.model.BaseModel;
import io.lorica.model.Linear;
import io.lorica.tensor.DType;
import io.lorica.tensor.LoricaException;
import io.lorica.tensor.SafetensorsFile;
import io.lorica.tensor.Scope;
import io.lorica.tensor.Seed;
import io.lorica.tensor.TensorSource;
import io.lorica.tensor.Tensors;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class EvaMethodTest extends MethodContract {
    private static final String ALL = "'target_modules': ['q_proj', 'k_proj', 'v_proj', 'down_proj']";

    @Override
    String method() {
        return "eva";
    }

    @Override
    String impossible() {
        return "{'r': 20, " + TARGETS + "}"; // 40 components of an input of 32
    }

    @Override
    Calibration calibration(BaseModel seen) {
        return new TinyCalibration(seen);
    }

    @Override
    List<String> suffixes() {
        return List.of(".lora_A.weight", ".lora_B.weight");
    }

    private static Tensor a(@Nullable SiteAdapter part) {
        return Objects.requireNonNull(Objects.requireNonNull(part).tensors().get(Pair.A))
                .detach();
    }

    private Adapter created(String settings) {
        Adapter adapter = create(model, settings, new Seed(1));
        stack.add("e" + stack.names().size(), adapter);
        return adapter;
    }

    @Test
    void create_fresh_rowsAreOrthonormalAndEqualForEqualInputs() {
        Adapter adapter = created("{'r': 4, " + ALL + "}");
        try (Scope _ = Scope.open()) {
            adapter.sites().values().forEach(part -> {
                Tensor a = a(part);
                assertThat(Tensors.maxDifference(a.mm(a.t()), torch.eye(a.size(0))))
                        .isLessThan(1e-4);
            });
            Tensor q = a(adapter.sites().get("model.layers.0.self_attn.q_proj"));
            Tensor k = a(adapter.sites().get("model.layers.0.self_attn.k_proj"));
            long both = Math.min(q.size(0), k.size(0));
            assertThat(Tensors.maxDifference(q.narrow(0, 0, both), k.narrow(0, 0, both)))
                    .isZero();
        }
        assertThat(model.sites().values()).noneMatch(site -> site instanceof Linear linear && linear.overlaid());
    }

    @Test
    void create_fresh_keepsTheBudgetAndTheBounds() {
        Adapter adapter = created("{'r': 3, 'rho': 2, " + ALL + "}");
        List<Long> ranks =
                adapter.sites().values().stream().map(part -> a(part).size(0)).toList();
        assertThat(ranks.stream().mapToLong(r -> r).sum()).isEqualTo(8 * 3);
        assertThat(ranks).allMatch(r -> r >= 1 && r <= 6);
        assertThat(ranks).anyMatch(r -> r != 3);
    }

    @Test
    void create_rhoOne_keepsEveryRank() {
        assertThat(created("{'r': 4, 'rho': 1, " + ALL + "}").sites().values()).allMatch(part -> a(part).size(0) == 4);
    }

    @Test
    void create_whiten_dividesByRootsOfSingularValues() {
        Adapter plain = created("{'r': 4, 'rho': 1, " + TARGETS + "}");
        Adapter whitened = created("{'r': 4, 'rho': 1, 'whiten': true, " + TARGETS + "}");
        String site = "model.layers.0.self_attn.q_proj";
        try (Scope _ = Scope.open()) {
            Tensor a = a(plain.sites().get(site));
            Tensor w = a(whitened.sites().get(site));
            float[] lengths = Tensors.floats(w.mul(w).sum(1));
            assertThat(lengths).isSorted(); // 1 / S with S descending
            assertThat(Tensors.maxDifference(w.div(w.mul(w).sum(1).sqrt().unsqueeze(1)), a))
                    .isLessThan(1e-5);
        }
    }

    @Test
    void save_redistributed_namesRanksAlphasAndLeavesRankZeroOut(@TempDir Path out) {
        // Very unequal inputs are not at hand, so a budget of one rank a site with rho 8 leaves some without any.
        Adapter adapter = created("{'r': 1, 'lora_alpha': 3, 'rho': 8, " + ALL + "}");
        assertThat(adapter.sites().size()).isLessThan(8);
        TinyModels.shake(adapter, 0.1);
        adapter.save(out);
        Adapter again = Adapter.load(model, out, LoadOptions.STRICT);
        stack.add("again", again);
        assertThat(again.sites().keySet()).isEqualTo(adapter.sites().keySet());
        assertThat(again.config().toJson().get("init_lora_weights").asText()).isEqualTo("eva");
        again.sites().forEach((name, part) -> {
            long r = a(part).size(0);
            if (r != 1) {
                assertThat(again.config().toJson().get("rank_pattern").get(name).asLong())
                        .isEqualTo(r);
                assertThat(again.config()
                                .toJson()
                                .get("alpha_pattern")
                                .get(name)
                                .asLong())
                        .isEqualTo(3 * r);
            }
        });
    }

    @ParameterizedTest
    @CsvSource({
        "eva, '{`r`: 4, `lora_alpha`: 8, `max_batches`: 200, `target_modules`: [`q_proj`, `k_proj`, `down_proj`]}'",
        "eva-redistributed, '{`r`: 2, `lora_alpha`: 4, `rho`: 3, `max_batches`: 200,"
                + " `target_modules`: [`q_proj`, `k_proj`, `o_proj`, `down_proj`]}'",
    })
    void create_sameDataAsPeft_sameRanksAlphasAndDirections(String name, String settings, @TempDir Path out) {
        Path directory = TinyModels.peft(name);
        try (TensorSource expected = SafetensorsFile.open(directory.resolve("expected.safetensors"));
                BaseModel other = TinyModels.open("llama-biases", DType.F32);
                Scope _ = Scope.open()) {
            long[] ids = Tensors.longs(expected.read("data"));
            List<long[]> data = new ArrayList<>();
            for (int i = 0; i < ids.length; i += TinyCalibration.LENGTH) {
                data.add(Arrays.copyOfRange(ids, i, i + TinyCalibration.LENGTH));
            }
            AdapterConfig config = TinyModels.config("eva", settings.replace('`', '\''));
            try (Adapter adapter = Adapter.create(other, config, new TinyCalibration(other, data), new Seed(1))) {
                adapter.sites().forEach((site, part) -> {
                    Tensor theirs = expected.read("start.base_model.model." + site + ".lora_A.weight");
                    Tensor ours = a(part);
                    assertThat(Tensors.shape(ours)).as(site).isEqualTo(Tensors.shape(theirs));
                    float[] cosines = Tensors.floats(ours.mul(theirs).sum(1).abs());
                    for (float cosine : cosines) {
                        assertThat(cosine).as(site).isGreaterThan(0.99f);
                    }
                });
                adapter.save(out);
                for (String key : List.of("rank_pattern", "alpha_pattern")) {
                    assertThat(setting(out, key)).isEqualTo(setting(directory, key));
                }
            }
        }
    }

    private static JsonNode setting(Path adapter, String key) {
        return AdapterConfig.read(adapter).toJson().get(key);
    }

    @Test
    void create_batchesWithoutEnoughTokens_saysWhatToDo() {
        assertThatThrownBy(() -> created("{'r': 10, 'svd_batch_size': 1, 'max_batches': 3, " + TARGETS + "}"))
                .isInstanceOf(LoricaException.BadInput.class)
                .hasMessageContaining("raise svd_batch_size");
        assertThat(model.sites().values()).noneMatch(site -> site instanceof Linear linear && linear.overlaid());
    }
}
