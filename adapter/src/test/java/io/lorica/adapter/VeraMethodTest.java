package io.lorica.adapter;

import static org.assertj.core.api.Assertions.assertThat;

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

class VeraMethodTest extends MethodContract {
    @Override
    String method() {
        return "vera";
    }

    @Override
    String settings() {
        return "{'r': 6, 'd_initial': 0.5, " + TARGETS + "}";
    }

    @Override
    String impossible() {
        return "{'target_modules': ['embed_tokens']}";
    }

    @Override
    List<String> suffixes() {
        return List.of(".vera_lambda_b", ".vera_lambda_d");
    }

    @Override
    List<String> sharedKeys() {
        return List.of("base_model.vera_A", "base_model.vera_B");
    }

    @Test
    void share_sameKey_drawsThePairThatPeftDrew() {
        Adapter adapter = Adapter.create(
                model, TinyModels.config("vera", "{'r': 6, " + TARGETS + "}"), new Seed(1)); // key 0, as in the fixture
        stack.add("a", adapter);
        try (Scope _ = Scope.open();
                TensorSource peft =
                        SafetensorsFile.open(TinyModels.peft("vera").resolve("adapter_model.safetensors"))) {
            adapter.shared()
                    .tensors()
                    .forEach((key, tensor) -> assertThat(Tensors.floats(tensor))
                            .as(key)
                            .isEqualTo(Tensors.floats(peft.read("base_model." + key))));
        }
    }

    @Test
    void save_withoutProjection_isSmallAndTheKeyBringsItBack(@TempDir Path out) {
        String settings = "{'r': 6, 'projection_prng_key': 7, 'save_projection': false, " + TARGETS + "}";
        Adapter adapter = Adapter.create(model, TinyModels.config("vera", settings), new Seed(1));
        stack.add("a", adapter);
        TinyModels.shake(adapter, 0.3);
        adapter.save(out);
        try (TensorSource source = SafetensorsFile.open(out.resolve("adapter_model.safetensors"))) {
            assertThat(source.names()).noneMatch(sharedKeys()::contains);
        }
        stack.activate("a");
        float[] before = logits();
        stack.add("b", Adapter.load(model, out, LoadOptions.STRICT));
        stack.activate("b");
        assertThat(logits()).isEqualTo(before);
    }

    @Test
    void parameterCount_oneSite_isRankPlusOutputs() {
        Adapter adapter = fresh("a");
        assertThat(adapter.parameterCount()).isEqualTo(2 * ((6 + 48) + (6 + 32))); // two layers of q_proj, down_proj
    }

    @Test
    void share_sitesOfUnequalShape_useSlicesOfOnePair() {
        Adapter adapter = shaken("a");
        try (Scope _ = Scope.open()) {
            SiteAdapter part = Objects.requireNonNull(adapter.sites().get("model.layers.0.mlp.down_proj"));
            Tensor a = tensor(adapter.shared(), "vera_A").narrow(1, 0, 48);
            Tensor b = tensor(adapter.shared(), "vera_B").narrow(0, 0, 32);
            Tensor d = torchDiagonal(part, "vera_lambda_d");
            Tensor up = torchDiagonal(part, "vera_lambda_b");
            Tensor expected = up.mm(b).mm(d).mm(a); // diag(b) B diag(d) A, written out
            Tensor matrix = part.site().weight().frozen();
            assertThat(Tensors.maxDifference(part.change(matrix), expected)).isLessThan(1e-6);
        }
    }

    private static Tensor tensor(Shared shared, String key) {
        return Objects.requireNonNull(shared.tensors().get(key));
    }

    private static Tensor torchDiagonal(SiteAdapter part, String key) {
        return Objects.requireNonNull(part.tensors().get(key)).detach().diag();
    }
}
