package io.lorica.adapter;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.lorica.model.BaseModel;
import io.lorica.model.Batch;
import io.lorica.model.Pass;
import io.lorica.model.VisionLanguageModel;
import io.lorica.tensor.DType;
import io.lorica.tensor.Grad;
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
import java.util.Map;
import java.util.Objects;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorVector;
import org.bytedeco.pytorch.global.torch;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class QLadderMethodTest extends MethodContract {
    private static final long IMAGE = 47;
    private static final long[] QUESTION = {5, 9, IMAGE, 33, 12};
    private static final int PATCHES = 9;
    private static final int QUERIES = 3;
    private static final String FILE = "vision_tower.vision_tower.";

    @Override
    String method() {
        return "qladder";
    }

    @Override
    String base() {
        return "llava";
    }

    @Override
    String settings() {
        return "{'num_queries': " + QUERIES + "}";
    }

    @Override
    String impossible() {
        return "{'layers': 9}";
    }

    @Override
    boolean mergeable() {
        return false;
    }

    @Override
    List<String> suffixes() {
        return List.of();
    }

    @Override
    List<String> sharedKeys() {
        List<String> keys = new ArrayList<>(List.of(FILE + "qladder_embeds"));
        for (int i = 0; i < 3; i++) {
            for (String part : List.of(
                    "layer_norm0",
                    "layer_norm1",
                    "layer_norm2",
                    "cross_attn.q_proj",
                    "cross_attn.k_proj",
                    "cross_attn.v_proj",
                    "cross_attn.out_proj",
                    "mlp.fc1",
                    "mlp.fc2")) {
                keys.add(FILE + "LadderAdapters." + i + "." + part + ".weight");
                keys.add(FILE + "LadderAdapters." + i + "." + part + ".bias");
            }
        }
        return keys;
    }

    @Override
    Batch batch(BaseModel reader) {
        return reader instanceof VisionLanguageModel seeing
                ? TinyModels.aboutPicture(seeing, QUESTION)
                : super.batch(reader);
    }

    /** More tokens change the answer from the start: the paper's ladder has no start at the base. */
    @Override
    @Test
    void create_fresh_leavesTheModelAsItWas() {
        float[] text = TinyModels.logits(model, 5, 9, 33, 12);
        fresh("a");
        stack.activate("a");
        assertThat(TinyModels.logits(model, 5, 9, 33, 12)).isEqualTo(text);
        assertThat(((VisionLanguageModel) model).tokensPerImage()).isEqualTo(PATCHES + QUERIES);
    }

    @Override
    @Test
    void activate_twoAdapters_addUpOnlyWhileBothAreActive() {
        shaken("a");
        shaken("b");
        assertThatThrownBy(() -> stack.activate(Map.of("a", 1.0, "b", 1.0)))
                .isInstanceOf(LoricaException.Incompatible.class)
                .hasMessageContaining("both add tokens to images");
    }

    @Override
    @ParameterizedTest
    @ValueSource(strings = {"int8", "int4"})
    void quantizedBase_fresh_startsAtTheBaseAndLearns(String format) {
        try (BaseModel held = TinyModels.quantized(base(), format);
                AdapterStack on = new AdapterStack(held)) {
            Adapter adapter = create(held, settings(), new Seed(7));
            on.add("a", adapter).activate("a");
            assertThat(logits(held)).doesNotContain(Float.NaN).hasSize((4 + PATCHES + QUERIES) * 48);
        }
    }

    @Override
    @ParameterizedTest
    @ValueSource(strings = {"int8", "int4"})
    void quantizedBase_saveThenLoad_computesTheSame(String format, @TempDir Path out) {
        super.quantizedBase_saveThenLoad_computesTheSame(format, out);
    }

    @Test
    void create_modelOfText_isRefused() {
        try (BaseModel llama = TinyModels.open("llama-biases", DType.F32)) {
            assertThatThrownBy(() -> create(llama, settings(), new Seed(1)))
                    .isInstanceOf(LoricaException.Unsupported.class)
                    .hasMessageContaining("needs a vision encoder");
        }
    }

    @Test
    void create_twoStatesRead_isRefused() {
        try (BaseModel wide = TinyModels.open("llava-full", DType.F32)) {
            assertThatThrownBy(() -> create(wide, settings(), new Seed(1)))
                    .isInstanceOf(LoricaException.Unsupported.class)
                    .hasMessageContaining("vision_feature_layer names several layers");
        }
    }

    /** Nothing flows from the ladder into the encoder's own tokens; what differs is the rounding of the projector's larger product. */
    @Test
    void embed_withLadder_patchesStayAsTheyAre() {
        float[][] before = embeddings();
        shaken("a");
        stack.activate("a");
        float[][] after = embeddings();
        assertThat(after).hasNumberOfRows(before.length + QUERIES);
        for (int row = 0; row < 2 + PATCHES; row++) {
            assertThat(TinyModels.difference(after[row], before[row])).isLessThan(1e-6);
        }
        assertThat(after[2 + PATCHES + QUERIES]).isEqualTo(before[2 + PATCHES]);
    }

    private float[][] embeddings() {
        try (Scope _ = Scope.open();
                Grad _ = Grad.disabled()) {
            VisionLanguageModel seeing = (VisionLanguageModel) model;
            Tensor embedded = seeing.embed(batch(model), Pass.inference());
            float[][] rows = new float[(int) embedded.size(0)][];
            Arrays.setAll(rows, row -> Tensors.floats(embedded.select(0, row)));
            return rows;
        }
    }

    @Test
    void logits_twoPictures_eachHasItsOwnTokens() {
        shaken("a");
        stack.activate("a");
        VisionLanguageModel seeing = (VisionLanguageModel) model;
        try (Scope _ = Scope.open();
                Grad _ = Grad.disabled()) {
            Batch one = batch(model);
            long[] ids = Tensors.longs(one.tokens());
            Tensor images = Objects.requireNonNull(one.images());
            Tensor other = images.neg();
            float[] both = Tensors.floats(seeing.nextLogits(
                    Batch.of(List.of(ids, ids)).withImages(torch.cat(new TensorVector(images, other), 0)),
                    Pass.inference()));
            float[] first = Tensors.floats(seeing.nextLogits(one, Pass.inference()));
            float[] second =
                    Tensors.floats(seeing.nextLogits(Batch.of(List.of(ids)).withImages(other), Pass.inference()));
            assertThat(TinyModels.difference(Arrays.copyOf(both, 48), first)).isLessThan(1e-5);
            assertThat(TinyModels.difference(Arrays.copyOfRange(both, 48, 96), second))
                    .isLessThan(1e-5);
        }
    }

    @Test
    void rowAdapters_withLadder_areRefused() {
        fresh("a");
        stack.activate("a");
        assertThatThrownBy(stack::rowAdapters)
                .isInstanceOf(LoricaException.Unsupported.class)
                .hasMessageContaining("adds tokens to images");
    }

    /** With the official -2 the last block's answer is not used; a ladder without it is the option that saves it. */
    @Test
    void logits_lastBlockLeftOut_areTheSame() {
        Adapter official = Adapter.create(model, TinyModels.config("qladder", settings()), new Seed(4));
        Adapter shorter = Adapter.create(
                model,
                TinyModels.config("qladder", "{'num_queries': 3, 'layers': 2, 'select_layer': -1}"),
                new Seed(4));
        stack.add("a", official).add("b", shorter);
        stack.activate("a");
        float[] logits = logits();
        stack.activate("b");
        assertThat(logits()).isEqualTo(logits);
        assertThat(official.parameterCount()).isEqualTo(shorter.parameterCount());
    }

    @Test
    void trainables_selectedBlock_endsThem() {
        Adapter adapter = fresh("a");
        assertThat(adapter.state().keySet()).anyMatch(key -> key.contains("LadderAdapters.2."));
        assertThat(adapter.trainables())
                .hasSize(1 + 2 * 18)
                .noneMatch(trainable -> trainable.name().contains("LadderAdapters.2."));
    }

    /** {@code 4 (d^2 + d) + (8 d^2 + 5 d) + 6 d} a block: 302,424,064 for 24 blocks of 1024 and 64 queries. */
    @Test
    void state_count_isThatOfThePage() {
        long d = 16;
        long block = 4 * (d * d + d) + (8 * d * d + 5 * d) + 6 * d;
        assertThat(fresh("a").state().values().stream().mapToLong(Tensor::numel).sum())
                .isEqualTo(3 * block + QUERIES * d);
    }

    @Test
    void create_modulesToSave_trainsTheProjectorToo() {
        Adapter adapter =
                create(model, "{'num_queries': 3, 'modules_to_save': ['multi_modal_projector']}", new Seed(1));
        stack.add("a", adapter);
        assertThat(adapter.replaced()).anyMatch(name -> name.contains("multi_modal_projector.linear_1"));
    }

    @ParameterizedTest
    @ValueSource(strings = {"{'select_layer': 3}", "{'select_layer': -4}", "{'layers': 1}"})
    void plan_selectOutsideTheLadder_isRefused(String settings) {
        List<SiteShape> shapes = SiteShape.of(model);
        assertThatThrownBy(() -> TinyModels.config("qladder", settings).plan(shapes, "llava"))
                .isInstanceOf(LoricaException.BadInput.class)
                .hasMessageContaining("'select_layer'");
    }

    /** Both halves of Arcana against PyTorch, from {@code bench/peers/make_arcana_fixtures.py}: a prompt of two pictures. */
    @Test
    void load_mmLoraWithLadder_equalsPyTorch() {
        Path folder = Path.of("src", "test", "resources", "arcana");
        stack.add("a", Adapter.load(model, folder, LoadOptions.STRICT));
        stack.activate("a");
        try (TensorSource answers = SafetensorsFile.open(folder.resolve("answers.safetensors"));
                Scope _ = Scope.open();
                Grad _ = Grad.disabled()) {
            Batch batch = Batch.of(List.of(Tensors.longs(answers.read("ids")))).withImages(answers.read("pixels"));
            Tensor logits = ((VisionLanguageModel) model).logits(batch, Pass.inference());
            Tensor expected = answers.read("logits");
            assertThat(expected.abs().max().item_double()).isGreaterThan(0.1);
            assertThat(Tensors.maxDifference(logits, expected)).isLessThan(1e-4);
        }
    }

    @Test
    void backward_mmLoraWithLadder_bothLearn() {
        Adapter adapter = Adapter.create(
                model,
                TinyModels.config("mm-lora", "{'r': 8, 'qladder': {'num_queries': 3}, " + TARGETS + "}"),
                new Seed(1));
        TinyModels.shake(adapter, 0.1);
        stack.add("a", adapter).activate("a");
        loss(true);
        try (Scope _ = Scope.open()) {
            assertThat(adapter.trainables())
                    .anyMatch(trainable -> trainable.name().contains("qladder_embeds"));
            assertThat(adapter.trainables())
                    .allSatisfy(trainable -> assertThat(
                                    trainable.tensor().grad().abs().sum().item_double())
                            .as(trainable.name())
                            .isPositive());
        }
    }
}
