package io.lorica.adapter;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import io.lorica.model.BaseModel;
import io.lorica.model.Batch;
import io.lorica.model.CausalModel;
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
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What every method must do. A method's test extends this and adds what is its own. */
abstract class MethodContract {
    static final String TARGETS = "'target_modules': ['q_proj', 'down_proj']";

    BaseModel model;
    AdapterStack stack;

    /** As given to {@code --method}. */
    abstract String method();

    /** Settings on the model {@link #base()}, single quotes for double ones. */
    String settings() {
        return "{'r': 4, 'lora_alpha': 8, " + TARGETS + "}";
    }

    /** Settings that do not fit the model. */
    String impossible() {
        return "{'r': 400, " + TARGETS + "}";
    }

    String base() {
        return "llama-biases";
    }

    /** How far a fresh adapter may move the logits. */
    double startTolerance() {
        return 1e-5;
    }

    /** Whether the backward pass is the derivative of the forward pass (DoRA holds its norms constant). */
    boolean exactGradient() {
        return true;
    }

    boolean mergeable() {
        return true;
    }

    /** Ends of the keys in the file. */
    abstract List<String> suffixes();

    /** Start of the keys in the file. */
    String prefix() {
        return "base_model.model.model.layers.";
    }

    /** Keys in the file that belong to no site. */
    List<String> sharedKeys() {
        return List.of();
    }

    @BeforeEach
    void openModel() {
        model = TinyModels.open(base(), DType.F32);
        stack = new AdapterStack(model);
    }

    @AfterEach
    void closeModel() {
        stack.close();
        model.close();
    }

    /** What a method that starts from data looks at. */
    Calibration calibration(BaseModel seen) {
        return Calibration.NONE;
    }

    Adapter create(BaseModel on, String settings, Seed seed) {
        return Adapter.create(on, TinyModels.config(method(), settings), calibration(on), seed);
    }

    Adapter fresh(String name) {
        Adapter adapter = create(model, settings(), new Seed(7).of(name));
        stack.add(name, adapter);
        return adapter;
    }

    Adapter shaken(String name) {
        Adapter adapter = fresh(name);
        TinyModels.shake(adapter, 0.1, new Seed(42).of(name));
        return adapter;
    }

    /** What the model reads, owned by the caller's scope. */
    Batch batch(BaseModel reader) {
        return Batch.of(List.of(TinyModels.PROMPT));
    }

    float[] logits(BaseModel of) {
        return TinyModels.logits(of, () -> batch(of));
    }

    float[] logits() {
        return logits(model);
    }

    @Test
    void create_fresh_leavesTheModelAsItWas() {
        float[] base = logits();
        fresh("a");
        stack.activate("a");
        assertThat(TinyModels.difference(logits(), base)).isLessThan(startTolerance());
    }

    @Test
    void disable_afterUse_bringsTheBaseBackExactly() {
        float[] base = logits();
        shaken("a");
        stack.activate("a");
        assertThat(TinyModels.difference(logits(), base)).isGreaterThan(1e-3);
        stack.disable();
        assertThat(logits()).isEqualTo(base);
    }

    @Test
    void backward_smallSteps_matchFiniteDifferences() {
        if (!exactGradient()) {
            return;
        }
        Adapter adapter = shaken("a");
        stack.activate("a");
        loss(true);
        for (Trainable trainable : adapter.trainables()) {
            float[] gradient = gradient(trainable);
            int at = largest(gradient);
            double measured = finiteDifference(trainable.tensor(), at);
            assertThat(measured)
                    .as(trainable.name() + "[" + at + "]")
                    .isCloseTo(gradient[at], within(0.02 * Math.abs(gradient[at]) + 2e-3));
        }
    }

    @Test
    void backward_allTensors_onlyTrainablesHaveGradients() {
        Adapter adapter = shaken("a");
        stack.activate("a");
        loss(true);
        try (Scope _ = Scope.open()) {
            assertThat(model.parameters().values())
                    .allSatisfy(parameter ->
                            assertThat(parameter.frozen().requires_grad()).isFalse());
            List<String> trained =
                    adapter.trainables().stream().map(Trainable::name).toList();
            adapter.state()
                    .forEach((key, tensor) ->
                            assertThat(tensor.requires_grad()).as(key).isEqualTo(trained.contains(key)));
        }
    }

    @Test
    void save_thenLoad_computesTheSameAndNamesTensorsLikePeft(@TempDir Path out) {
        shaken("a").save(out);
        stack.add("b", Adapter.load(model, out, LoadOptions.STRICT));
        stack.activate("a");
        float[] before = logits();
        stack.activate("b");
        assertThat(TinyModels.difference(logits(), before)).isLessThan(1e-5);
        try (TensorSource source = SafetensorsFile.open(out.resolve("adapter_model.safetensors"))) {
            assertThat(source.names()).containsAll(sharedKeys());
            assertThat(source.names())
                    .filteredOn(name -> !sharedKeys().contains(name))
                    .allSatisfy(name -> {
                        assertThat(name).startsWith(prefix());
                        assertThat(suffixes()).anyMatch(name::endsWith);
                    });
        }
    }

    @Test
    void save_twice_sameBytes(@TempDir Path out) {
        shaken("a").save(out.resolve("1"));
        try (Adapter again = Adapter.load(model, out.resolve("1"), LoadOptions.STRICT)) {
            again.save(out.resolve("2"));
        }
        for (String file : List.of("adapter_model.safetensors", "adapter_config.json")) {
            assertThat(out.resolve("2").resolve(file))
                    .hasSameBinaryContentAs(out.resolve("1").resolve(file));
        }
    }

    @Test
    void merge_float32_equalsTheOverlayAndUnmergesExactly() {
        shaken("a");
        float[] base = logits();
        stack.activate("a");
        float[] overlay = logits();
        if (!mergeable()) {
            assertThatThrownBy(() -> stack.merge(Map.of("a", 1.0), MergeOptions.of(DType.F32)))
                    .isInstanceOf(LoricaException.Unsupported.class);
            return;
        }
        MergeCertificate certificate = stack.merge(Map.of("a", 1.0), MergeOptions.of(DType.F32));
        assertThat(TinyModels.difference(logits(), overlay)).isLessThan(2e-5);
        assertThat(certificate.logitChange()).isLessThan(2e-5);
        assertThat(certificate.adapterEffect()).isGreaterThan(1e-3);
        stack.unmerge();
        assertThat(logits()).isEqualTo(overlay);
        stack.disable();
        assertThat(logits()).isEqualTo(base);
    }

    /** A server computes with the product alone; one inherited below a new {@code apply} would be wrong. */
    @Test
    void plainProduct_whereThereIsOne_isAllThatIsAdded() {
        try (Scope _ = Scope.open();
                Grad _ = Grad.disabled()) {
            shaken("a")
                    .sites()
                    .values()
                    .forEach(part -> part.plainProduct().ifPresent(product -> {
                        Tensor x = Tensors.ones(DType.F32, 1, part.site().in());
                        Tensor zero = Tensors.zeros(DType.F32, 1, part.site().out());
                        Tensor low = x.mm(product.a().t()).mm(product.b().t());
                        assertThat(Tensors.maxDifference(
                                        low.mul(new Scalar(product.scaling())),
                                        part.apply(x, zero, zero.clone(), 1, Pass.inference())))
                                .isLessThan(1e-4);
                    }));
        }
    }

    @Test
    void activate_twoAdapters_addUpOnlyWhileBothAreActive() {
        shaken("a");
        stack.activate("a");
        float[] alone = logits();
        shaken("b");
        stack.activate(Map.of("a", 1.0, "b", 1.0));
        assertThat(TinyModels.difference(logits(), alone)).isGreaterThan(1e-3);
        stack.activate("b");
        assertThat(TinyModels.difference(logits(), alone)).isGreaterThan(1e-4);
        stack.remove("b");
        stack.activate("a");
        assertThat(logits()).isEqualTo(alone);
    }

    @Test
    void activate_weightZero_isTheBase() {
        float[] base = logits();
        shaken("a");
        stack.activate(Map.of("a", 0.0));
        assertThat(logits()).isEqualTo(base);
    }

    @Test
    void create_sameSeed_sameTensors() {
        Map<String, float[]> first = new LinkedHashMap<>();
        fresh("a").state().forEach((key, tensor) -> first.put(key, Tensors.floats(tensor)));
        stack.remove("a");
        fresh("a")
                .state()
                .forEach((key, tensor) ->
                        assertThat(Tensors.floats(tensor)).as(key).isEqualTo(first.get(key)));
    }

    @Test
    void forward_bfloat16_staysNearFloat32() {
        Adapter adapter = shaken("a");
        stack.activate("a");
        float[] exact = logits();
        try (BaseModel half = TinyModels.open(base(), DType.BF16);
                AdapterStack other = new AdapterStack(half)) {
            Adapter copy = create(half, settings(), new Seed(7).of("a"));
            copyState(adapter, copy);
            other.add("a", copy);
            other.activate("a");
            float[] rounded = logits(half);
            double largest = TinyModels.difference(exact, new float[exact.length]);
            assertThat(TinyModels.difference(rounded, exact)).isLessThan(0.1 * largest);
            assertThat(copy.trainables())
                    .allSatisfy(trainable ->
                            assertThat(DType.of(trainable.tensor())).isEqualTo(DType.F32));
        }
    }

    @Test
    void plan_impossibleSettings_failsWithoutWeights() {
        List<SiteShape> shapes = SiteShape.of(model);
        assertThatThrownBy(() -> TinyModels.config(method(), impossible()).plan(shapes, "llama"))
                .isInstanceOfAny(LoricaException.BadInput.class, LoricaException.Unsupported.class)
                .hasMessageContaining("model.");
    }

    @Test
    void parse_unknownKey_isRefusedWithASuggestion() {
        String key = "target_module";
        assertThatThrownBy(() -> TinyModels.config(method(), "{'" + key + "': ['q_proj']}"))
                .isInstanceOf(LoricaException.BadInput.class)
                .hasMessageContaining("did you mean 'target_modules'");
    }

    /** Whether it is refused on a quantized base; the reason is {@link Method#needsExactWeights}. */
    private boolean refusedOn(BaseModel held) {
        AdapterConfig config = TinyModels.config(method(), settings());
        return config.method()
                .needsExactWeights(config.settings())
                .map(reason -> {
                    assertThatThrownBy(() -> create(held, settings(), new Seed(7)))
                            .isInstanceOf(LoricaException.Unsupported.class)
                            .hasMessageContaining(reason)
                            .hasMessageContaining("load the base with dense weights");
                    return true;
                })
                .orElse(false);
    }

    @ParameterizedTest
    @ValueSource(strings = {"int8", "int4", "gguf"})
    void quantizedBase_fresh_startsAtTheBaseAndLearns(String format) {
        try (BaseModel held = TinyModels.quantized(base(), format);
                AdapterStack on = new AdapterStack(held)) {
            if (refusedOn(held)) {
                return;
            }
            float[] bare = logits(held);
            Adapter adapter = create(held, settings(), new Seed(7));
            on.add("a", adapter).activate("a");
            assertThat(TinyModels.difference(logits(held), bare)).isLessThan(10 * startTolerance());
            TinyModels.shake(adapter, 0.1);
            loss(held, true);
            assertThat(adapter.trainables())
                    .allSatisfy(trainable -> assertThat(gradient(trainable))
                            .as(trainable.name())
                            .doesNotContain(Float.NaN, Float.POSITIVE_INFINITY, Float.NEGATIVE_INFINITY));
            assertThat(adapter.trainables())
                    .anySatisfy(trainable -> assertThat(gradient(trainable)[largest(gradient(trainable))])
                            .isNotZero());
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"int8", "int4", "gguf"})
    void quantizedBase_saveThenLoad_computesTheSame(String format, @TempDir Path out) {
        try (BaseModel held = TinyModels.quantized(base(), format);
                AdapterStack on = new AdapterStack(held)) {
            if (refusedOn(held)) {
                return;
            }
            Adapter adapter = create(held, settings(), new Seed(7));
            TinyModels.shake(adapter, 0.1);
            adapter.save(out);
            on.add("a", adapter).add("b", Adapter.load(held, out, LoadOptions.STRICT));
            on.activate("a");
            float[] before = logits(held);
            on.activate("b");
            assertThat(TinyModels.difference(logits(held), before)).isLessThan(1e-5);
        }
    }

    /** Saves an adapter of these settings with {@code save_as: lora} and reads it as the plain LoRA that it is then. */
    void assertSavedAsLora(String settings, Path out) {
        Adapter adapter = Adapter.create(
                model, TinyModels.config(method(), settings.replace("{'r'", "{'save_as': 'lora', 'r'")), new Seed(1));
        stack.add("own", adapter);
        TinyModels.shake(adapter, 0.1);
        adapter.save(out);
        Adapter lora = Adapter.load(model, out, LoadOptions.STRICT);
        stack.add("lora", lora);
        assertThat(lora.config().method().info().name()).isEqualTo("lora");
        stack.activate("own");
        float[] logits = logits();
        stack.activate("lora");
        assertThat(TinyModels.difference(logits(), logits)).isLessThan(1e-5);
    }

    static void copyState(Adapter from, Adapter to) {
        try (Scope _ = Scope.open();
                Grad _ = Grad.disabled()) {
            to.state().forEach((key, tensor) -> tensor.copy_(from.state().get(key)));
        }
    }

    /** A fixed random combination of all logits. */
    double loss(boolean backward) {
        return loss(model, backward);
    }

    private double loss(BaseModel of, boolean backward) {
        try (Scope _ = Scope.open();
                Grad _ = backward ? Grad.enabled() : Grad.disabled()) {
            Tensor logits = ((CausalModel) of).logits(batch(of), Pass.inference());
            Tensor weights = Tensors.empty(DType.F32, Tensors.shape(logits)).normal_(0, 1, new Seed(3).generator());
            Tensor loss = logits.mul(weights).sum();
            if (backward) {
                loss.backward();
            }
            return loss.item_double();
        }
    }

    /** Zeros where no token came by, as at an expert that nobody visits. */
    private static float[] gradient(Trainable trainable) {
        try (Scope _ = Scope.open()) {
            Tensor gradient = trainable.tensor().grad();
            return gradient.defined()
                    ? Tensors.floats(gradient)
                    : new float[(int) trainable.tensor().numel()];
        }
    }

    private static int largest(float[] values) {
        int at = 0;
        for (int i = 1; i < values.length; i++) {
            at = Math.abs(values[i]) > Math.abs(values[at]) ? i : at;
        }
        return at;
    }

    private double finiteDifference(Tensor tensor, int at) {
        double step = 2e-3;
        move(tensor, at, step);
        double up = loss(false);
        move(tensor, at, -2 * step);
        double down = loss(false);
        move(tensor, at, step);
        return (up - down) / (2 * step);
    }

    private static void move(Tensor tensor, int at, double step) {
        try (Scope _ = Scope.open();
                Grad _ = Grad.disabled();
                Scalar scalar = new Scalar(step)) {
            tensor.view(-1).narrow(0, at, 1).add_(scalar);
        }
    }
}
