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
import org.bytedeco.pytorch.global.torch;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class BoneMethodTest extends MethodContract {
    private static final String SITE = "model.layers.0.self_attn.q_proj"; // [48, 32]

    @Override
    String method() {
        return "bone";
    }

    @Override
    String settings() {
        return "{'r': 8, " + TARGETS + "}";
    }

    @Override
    String impossible() {
        return "{'r': 10, " + TARGETS + "}";
    }

    @Override
    List<String> suffixes() {
        return List.of(".miss_block");
    }

    @Test
    void change_eachBlock_isWeightPlusIdentityTimesItsRowsBlock() {
        Adapter adapter = shaken("a");
        SiteAdapter part = Objects.requireNonNull(adapter.sites().get(SITE));
        try (Scope _ = Scope.open()) {
            Tensor w = part.site().weight().frozen();
            Tensor m = Objects.requireNonNull(part.tensors().get("miss_block")).detach();
            Tensor change = part.change(w);
            for (long a = 0; a < 6; a++) {
                for (long b = 0; b < 4; b++) {
                    Tensor guide = w.narrow(0, 8 * a, 8).narrow(1, 8 * b, 8).add(torch.eye(8));
                    Tensor block = change.narrow(0, 8 * a, 8).narrow(1, 8 * b, 8);
                    assertThat(Tensors.maxDifference(block, guide.mm(m.select(0, a))))
                            .isLessThan(1e-6);
                }
            }
        }
    }

    @Test
    void change_mergedBlocks_canBeUndoneByTheInverse() {
        Adapter adapter = shaken("a");
        SiteAdapter part = Objects.requireNonNull(adapter.sites().get(SITE));
        try (Scope _ = Scope.open()) {
            Tensor w = part.site().weight().frozen();
            Tensor m = Objects.requireNonNull(part.tensors().get("miss_block")).detach();
            Tensor merged = w.add(part.change(w));
            Tensor block = merged.narrow(0, 8, 8).narrow(1, 16, 8);
            Tensor back =
                    block.sub(m.select(0, 1)).mm(torch.inverse(torch.eye(8).add(m.select(0, 1))));
            assertThat(Tensors.maxDifference(back, w.narrow(0, 8, 8).narrow(1, 16, 8)))
                    .isLessThan(1e-4);
        }
    }

    @Test
    void change_randomBlocks_hasARankAboveR() {
        Adapter adapter = shaken("a");
        SiteAdapter part = Objects.requireNonNull(adapter.sites().get(SITE));
        try (Scope _ = Scope.open()) {
            Tensor change = part.change(part.site().weight().frozen());
            assertThat(torch.linalg_matrix_rank(change, 1e-4, false).item_long())
                    .isGreaterThan(8);
        }
    }

    @Test
    void load_peftsFormerType_meansPlainSharingAndIsSavedAsItCame(@TempDir Path out) {
        String settings = "{'peft_type': 'BONE', 'init_weights': true, 'r': 10, " + TARGETS + "}";
        Adapter adapter = Adapter.create(model, TinyModels.config("bone", settings), new Seed(1));
        stack.add("a", adapter);
        TinyModels.shake(adapter, 0.1);
        adapter.save(out);
        try (TensorSource source = SafetensorsFile.open(out.resolve("adapter_model.safetensors"))) {
            assertThat(source.names()).allSatisfy(name -> assertThat(name).endsWith(".bone_block"));
        }
        stack.activate("a");
        float[] before = logits();
        Adapter again = Adapter.load(model, out, LoadOptions.STRICT);
        stack.add("b", again);
        stack.activate("b");
        assertThat(logits()).isEqualTo(before);
        assertThat(again.config().toJson().get("peft_type").asText()).isEqualTo("BONE");
        assertThat(again.config().toJson().get("init_weights").asBoolean()).isTrue();
    }

    @Test
    void toJson_fresh_isWhatPeftCallsMiss() {
        assertThat(TinyModels.config("bone", settings()).toJson().toString())
                .contains("\"peft_type\":\"MISS\"", "\"init_weights\":\"bat\"");
    }
}
