package io.lorica.adapter;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.lorica.model.BaseModel;
import io.lorica.model.Batch;
import io.lorica.model.CausalModel;
import io.lorica.model.KvCache;
import io.lorica.model.Linear;
import io.lorica.model.Pass;
import io.lorica.model.VisionLanguageModel;
import io.lorica.model.VisualRows;
import io.lorica.tensor.DType;
import io.lorica.tensor.Grad;
import io.lorica.tensor.LoricaException;
import io.lorica.tensor.SafetensorsFile;
import io.lorica.tensor.Scope;
import io.lorica.tensor.Seed;
import io.lorica.tensor.Tensors;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.SequencedMap;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorVector;
import org.bytedeco.pytorch.global.torch;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class MmLoraMethodTest extends MethodContract {
    /** The image token of the fixture. */
    private static final long IMAGE = 47;

    private static final long[] QUESTION = {5, 9, IMAGE, 33, 12};
    private static final String SITE = "model.language_model.layers.1.mlp.up_proj";
    private static final String ALL =
            "'target_modules': ['q_proj', 'k_proj', 'v_proj', 'o_proj', 'gate_proj', 'up_proj', 'down_proj']";

    @Override
    String method() {
        return "mm-lora";
    }

    @Override
    String base() {
        return "llava";
    }

    @Override
    String settings() {
        return "{'r_vision': 2, 'r_language': 4, " + TARGETS + "}";
    }

    private static String all(int vision, int language) {
        return "{'r_vision': " + vision + ", 'r_language': " + language + ", " + ALL + "}";
    }

    @Override
    String impossible() {
        return "{'r_vision': 400, " + TARGETS + "}";
    }

    @Override
    boolean mergeable() {
        return false;
    }

    @Override
    String prefix() {
        return "arcana.layers.";
    }

    @Override
    List<String> suffixes() {
        return List.of(
                ".vision.lora_A.weight", ".vision.lora_B.weight", ".language.lora_A.weight", ".language.lora_B.weight");
    }

    @Override
    Batch batch(BaseModel reader) {
        return reader instanceof VisionLanguageModel seeing
                ? TinyModels.aboutPicture(seeing, QUESTION)
                : super.batch(reader);
    }

    private Adapter add(String name, String method, String settings) {
        Adapter adapter = Adapter.create(model, TinyModels.config(method, settings), new Seed(3).of(name));
        TinyModels.shake(adapter, 0.1, new Seed(5).of(name));
        stack.add(name, adapter);
        return adapter;
    }

    /** A plain LoRA of the same scaling with the factors of one pair, on the same sites. */
    private void addPair(String name, Adapter of, String pair, int rank) {
        String sites = String.join("', '", of.sites().keySet());
        Adapter lora = add(
                name,
                "lora",
                "{'r': " + rank + ", 'lora_alpha': " + 2 * rank + ", 'target_modules': ['" + sites + "']}");
        try (Scope _ = Scope.open();
                Grad _ = Grad.disabled()) {
            lora.state()
                    .forEach((key, tensor) -> tensor.copy_(tensor(of, key.replace(".lora_", "." + pair + ".lora_"))));
        }
    }

    private static Tensor tensor(Adapter adapter, String key) {
        return Objects.requireNonNull(adapter.state().get(key), key);
    }

    private static Tensor rows(Seed seed, long count, long width) {
        return Tensors.empty(DType.F32, count, width).normal_(0, 1, seed.generator());
    }

    /** Each row is that of one of the two models whose weights hold a pair. */
    @ParameterizedTest
    @CsvSource({"'1,2,5'", "''", "'0,1,2,3,4,5'"})
    void forward_anyMask_rowsAreThoseOfTheTwoMergedWeights(String mask) {
        Adapter adapter = add("a", "mm-lora", all(2, 4));
        stack.activate("a");
        Linear site = (Linear) Objects.requireNonNull(model.sites().get(SITE));
        long[] visual = Arrays.stream(mask.split(","))
                .filter(part -> !part.isEmpty())
                .mapToLong(Long::parseLong)
                .toArray();
        try (Scope _ = Scope.open();
                Grad _ = Grad.disabled()) {
            Tensor x = rows(new Seed(1), 6, site.in());
            Tensor got = site.forward(x, Pass.inference().seeing(new VisualRows(visual, 6)));
            for (int t = 0; t < 6; t++) {
                int row = t;
                String pair = Arrays.stream(visual).anyMatch(place -> place == row) ? "vision" : "language";
                String at = "base_model.model." + SITE + "." + pair + ".lora_";
                Tensor change = tensor(adapter, at + "B.weight").mm(tensor(adapter, at + "A.weight"));
                Tensor weight = site.weight().frozen().add(change.mul(new Scalar(2.0)));
                assertThat(Tensors.maxDifference(got.select(0, t), weight.matmul(x.select(0, t))))
                        .isLessThan(1e-5);
            }
        }
    }

    @Test
    void logits_textAlone_areThoseOfTheLanguagePairAsLora() {
        addPair("lora", add("a", "mm-lora", all(2, 4)), "language", 4);
        stack.activate("a");
        float[] logits = TinyModels.logits(model, 5, 9, 33, 12);
        stack.activate("lora");
        assertThat(TinyModels.difference(TinyModels.logits(model, 5, 9, 33, 12), logits))
                .isLessThan(1e-5);
    }

    @Test
    void logits_equalPairs_areThoseOfOneLora() {
        Adapter adapter = add("a", "mm-lora", all(3, 3));
        try (Grad _ = Grad.disabled()) {
            adapter.state().forEach((key, tensor) -> tensor.copy_(tensor(adapter, key.replace("vision", "language"))));
        }
        addPair("lora", adapter, "language", 3);
        stack.activate("a");
        float[] logits = logits();
        stack.activate("lora");
        assertThat(TinyModels.difference(logits(), logits)).isLessThan(1e-5);
    }

    /** A token of the prompt changes by its own pair, and through attention by the other. */
    @Test
    void logits_aboutPicture_dependOnBothPairs() {
        Adapter adapter = add("a", "mm-lora", all(2, 4));
        addPair("language", adapter, "language", 4);
        addPair("vision", adapter, "vision", 2);
        stack.activate("a");
        float[] logits = logits();
        for (String alone : List.of("language", "vision")) {
            stack.activate(alone);
            assertThat(TinyModels.difference(logits(), logits)).as(alone).isGreaterThan(1e-3);
        }
    }

    @Test
    void backward_textAlone_visionHasNoGradient() {
        assertGradients(Batch.of(List.of(new long[] {5, 9, 33})), ".language.");
    }

    @Test
    void backward_pictureAlone_languageHasNoGradient() {
        try (Scope _ = Scope.open()) {
            assertGradients(TinyModels.aboutPicture((VisionLanguageModel) model, IMAGE), ".vision.");
        }
    }

    private void assertGradients(Batch batch, String learning) {
        Adapter adapter = add("a", "mm-lora", all(2, 4));
        stack.activate("a");
        try (Scope _ = Scope.open()) {
            ((CausalModel) model).logits(batch, Pass.inference()).sum().backward();
            adapter.trainables().forEach(trainable -> {
                Tensor gradient = trainable.tensor().grad();
                boolean some = gradient.defined() && gradient.abs().max().item_double() > 0;
                assertThat(some).as(trainable.name()).isEqualTo(trainable.name().contains(learning));
            });
        }
    }

    @Test
    void parameterCount_bothRanks_isThatOfOneLora() {
        Adapter adapter = add("a", "mm-lora", all(2, 4));
        String sites = String.join("', '", adapter.sites().keySet());
        Adapter lora = add("lora", "lora", "{'r': 6, 'target_modules': ['" + sites + "']}");
        assertThat(adapter.parameterCount()).isEqualTo(lora.parameterCount());
    }

    /** The answer's tokens are language though the prompt was of an image. */
    @Test
    void forward_withCache_equalsTheWholePass() {
        add("a", "mm-lora", all(2, 4));
        stack.activate("a");
        VisionLanguageModel seeing = (VisionLanguageModel) model;
        try (Scope _ = Scope.open();
                Grad _ = Grad.disabled();
                KvCache cache = seeing.newCache(1)) {
            Batch prompt = TinyModels.aboutPicture(seeing, QUESTION);
            long[] ids = Tensors.longs(prompt.tokens());
            float[] step = {};
            seeing.nextLogits(Batch.of(List.of(ids), cache).withImages(prompt.images()), Pass.inference());
            for (long token : new long[] {7, 20}) {
                step = Tensors.floats(
                        seeing.nextLogits(Batch.of(List.of(new long[] {token}), cache), Pass.inference()));
            }
            long[] whole = Arrays.copyOf(ids, ids.length + 2);
            whole[ids.length] = 7;
            whole[ids.length + 1] = 20;
            Batch all = Batch.of(List.of(whole)).withImages(prompt.images());
            assertThat(TinyModels.difference(Tensors.floats(seeing.nextLogits(all, Pass.inference())), step))
                    .isLessThan(1e-5);
        }
    }

    /** Several sequences, of which those without an image stand between others. */
    @Test
    void logits_batchOfTextsAndPictures_areThoseOfEachAlone() {
        add("a", "mm-lora", all(2, 4));
        stack.activate("a");
        VisionLanguageModel seeing = (VisionLanguageModel) model;
        try (Scope _ = Scope.open();
                Grad _ = Grad.disabled()) {
            Batch one = TinyModels.aboutPicture(seeing, QUESTION);
            long[] ids = Tensors.longs(one.tokens());
            Batch all = Batch.of(List.of(ids, new long[] {5, 9, 33}, ids))
                    .withImages(torch.cat(new TensorVector(one.images(), one.images()), 0));
            float[] together = Tensors.floats(seeing.nextLogits(all, Pass.inference()));
            float[] picture = Tensors.floats(seeing.nextLogits(one, Pass.inference()));
            float[] text =
                    Tensors.floats(seeing.nextLogits(Batch.of(List.of(new long[] {5, 9, 33})), Pass.inference()));
            int width = picture.length;
            assertThat(TinyModels.difference(Arrays.copyOfRange(together, 0, width), picture))
                    .isLessThan(1e-5);
            assertThat(TinyModels.difference(Arrays.copyOfRange(together, width, 2 * width), text))
                    .isLessThan(1e-5);
            assertThat(TinyModels.difference(Arrays.copyOfRange(together, 2 * width, 3 * width), picture))
                    .isLessThan(1e-5);
        }
    }

    /** As several jobs on one base are trained: each with its own rows. */
    @Test
    void logits_rowsOfSeveralAdapters_areThoseOfEachAlone() {
        VisionLanguageModel seeing = (VisionLanguageModel) model;
        Map<String, float[]> alone = new LinkedHashMap<>();
        Map<String, RowsOverlay.Adapters> adapters = new LinkedHashMap<>();
        for (String name : List.of("a", "b")) {
            add(name, "mm-lora", all(2, 4));
            stack.activate(name);
            alone.put(name, logits());
            adapters.put(name, stack.rowAdapters());
        }
        stack.disable();
        RowsOverlay.attach(adapters.values());
        try (Scope _ = Scope.open();
                Grad _ = Grad.disabled()) {
            Batch one = TinyModels.aboutPicture(seeing, QUESTION);
            long[] ids = Tensors.longs(one.tokens());
            List<RowsOverlay.Owner> owners = adapters.values().stream()
                    .map(each -> new RowsOverlay.Owner(each, Pass.inference()))
                    .toList();
            RowsOverlay.Ranges ranges =
                    new RowsOverlay.Ranges(RowRanges.joining(new int[] {ids.length, ids.length}, owners));
            Batch both =
                    Batch.of(List.of(ids, ids)).withImages(torch.cat(new TensorVector(one.images(), one.images()), 0));
            Tensor hidden = seeing.hidden(both, Pass.inference().with(ranges));
            for (String name : alone.keySet()) {
                Tensor own = hidden.narrow(0, name.equals("a") ? 0 : ids.length, ids.length);
                float[] logits = Tensors.floats(seeing.head().forward(own, Pass.inference()));
                assertThat(TinyModels.difference(logits, alone.get(name)))
                        .as(name)
                        .isLessThan(1e-5);
            }
        } finally {
            RowsOverlay.detach(adapters.values());
        }
    }

    @Test
    void create_llava_adaptsTheLanguageModelAlone() {
        assertThat(fresh("a").sites().keySet()).hasSize(4).allMatch(site -> site.contains("language_model.layers."));
    }

    @Test
    void create_withoutTargets_adaptsTheSevenMapsOfEachLayer() {
        Adapter named = create(model, all(2, 4), new Seed(1));
        Adapter open = create(model, "{'r_vision': 2, 'r_language': 4}", new Seed(1));
        stack.add("named", named).add("open", open);
        assertThat(open.state().keySet())
                .hasSize(2 * 7 * 4)
                .isEqualTo(named.state().keySet());
    }

    @Test
    void create_targetsOutsideTheLanguageModel_isRefused() {
        assertThatThrownBy(() -> create(model, "{'r': 4, 'target_modules': ['fc1']}", new Seed(1)))
                .isInstanceOf(LoricaException.BadInput.class)
                .hasMessageContaining("vision_tower")
                .hasMessageContaining("layers of the language model");
    }

    @ParameterizedTest
    @ValueSource(strings = {"'r_vision': 0, 'r_language': 3", "'r_vision': 3, 'r_language': 0"})
    void create_oneRankZero_trainsTheOtherAlone(String ranks) {
        Adapter adapter = add("a", "mm-lora", "{" + ranks + ", " + TARGETS + "}");
        float[] base = logits();
        stack.activate("a");
        assertThat(adapter.trainables()).hasSize(8);
        assertThat(TinyModels.difference(logits(), base)).isGreaterThan(1e-3);
    }

    /** The base reads texts alone, so that the pair of language is a LoRA. */
    @Test
    void merge_modelOfText_equalsTheOverlay() {
        try (BaseModel llama = TinyModels.open("llama-biases", DType.F32);
                AdapterStack on = new AdapterStack(llama)) {
            Adapter adapter = Adapter.create(llama, TinyModels.config(method(), settings()), new Seed(1));
            TinyModels.shake(adapter, 0.1);
            on.add("a", adapter).activate("a");
            float[] overlay = TinyModels.logits(llama, TinyModels.PROMPT);
            on.merge(Map.of("a", 1.0), MergeOptions.of(DType.F32));
            assertThat(TinyModels.difference(TinyModels.logits(llama, TinyModels.PROMPT), overlay))
                    .isLessThan(2e-5);
        }
    }

    @Test
    void load_officialNames_areRead(@TempDir Path out) {
        Adapter adapter = shaken("a");
        adapter.save(out);
        try (Scope _ = Scope.open()) {
            SequencedMap<String, Tensor> official = new LinkedHashMap<>();
            adapter.state()
                    .forEach((key, tensor) -> official.put(
                            key.replace("base_model.model.model.language_model.", "model.")
                                    .replace(".vision.lora_", ".V_Slora_")
                                    .replace(".language.lora_", ".L_Slora_"),
                            tensor.detach()));
            SafetensorsFile.write(out.resolve("adapter_model.safetensors"), official, Map.of());
        }
        stack.add("b", Adapter.load(model, out, LoadOptions.STRICT));
        stack.activate("a");
        float[] logits = logits();
        stack.activate("b");
        assertThat(logits()).isEqualTo(logits);
    }

    @ParameterizedTest
    @CsvSource({
        "'{}', 64, 192",
        "'{''r'': 32, ''beta'': 0.75}', 24, 8",
        "'{''r'': 10}', 3, 7",
        "'{''r'': 32, ''r_vision'': 4}', 4, 28",
        "'{''r_vision'': 5, ''r_language'': 0}', 5, 0"
    })
    void parse_ranks_followTheRatio(String settings, int vision, int language) {
        var json = TinyModels.config("mm-lora", settings).toJson();
        assertThat(json.get("r_vision").intValue()).isEqualTo(vision);
        assertThat(json.get("r_language").intValue()).isEqualTo(language);
    }

    @ParameterizedTest
    @ValueSource(strings = {"{'r_vision': 0, 'r_language': 0}", "{'beta': 1.5}"})
    void parse_ranksThatCannotBe_areRefused(String settings) {
        assertThatThrownBy(() -> TinyModels.config("mm-lora", settings))
                .isInstanceOf(LoricaException.BadInput.class)
                .hasMessageContaining("settings of method 'mm-lora'");
    }
}
