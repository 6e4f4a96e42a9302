package io.lorica.adapter;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.lorica.adapter.moe.Balance;
import io.lorica.adapter.moe.Router;
import io.lorica.adapter.moe.Routing;
import io.lorica.adapter.moe.RoutingLog;
import io.lorica.model.Batch;
import io.lorica.model.CausalModel;
import io.lorica.model.FeedForward;
import io.lorica.model.Linear;
import io.lorica.model.Pass;
import io.lorica.tensor.DType;
import io.lorica.tensor.Grad;
import io.lorica.tensor.LoricaException;
import io.lorica.tensor.SafetensorsFile;
import io.lorica.tensor.Scope;
import io.lorica.tensor.Seed;
import io.lorica.tensor.TensorSource;
import io.lorica.tensor.Tensors;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.stream.Stream;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class MixLoraMethodTest extends MixLoraContract {
    private static final String BLOCK = "model.layers.0.mlp";
    private static final String ALL =
            "'target_modules': ['q_proj', 'k_proj', 'v_proj', 'o_proj', 'gate_proj', 'up_proj', 'down_proj']";
    private static final String GATE = "base_model.model." + BLOCK + ".moe_gate.weight";

    @Override
    String settings() {
        return "{'r': 4, 'lora_alpha': 8, 'lora_dropout': 0.0, 'num_experts': 3, 'top_k': 2, " + TARGETS + "}";
    }

    private String all() {
        return settings().replace(TARGETS, ALL);
    }

    private Adapter add(String name, String settings) {
        Adapter adapter = create(model, settings, new Seed(3));
        TinyModels.shake(adapter, 0.3, new Seed(5));
        stack.add(name, adapter);
        return adapter;
    }

    private static Tensor tensor(Adapter adapter, String key) {
        return Objects.requireNonNull(adapter.state().get(key), key);
    }

    /** {@code W + s B A} of an expert, as a matrix of its own. */
    private Tensor weight(Adapter adapter, String map, int expert, double scaling) {
        Tensor frozen = Objects.requireNonNull(model.sites().get(BLOCK + "." + map))
                .weight()
                .frozen();
        String at = "base_model.model." + BLOCK + "." + map + ".experts." + expert + ".";
        return frozen.add(tensor(adapter, at + "lora_B.weight")
                .mm(tensor(adapter, at + "lora_A.weight"))
                .mul(new Scalar(scaling)));
    }

    private static Tensor linear(Tensor x, Tensor weight, @Nullable Tensor bias) {
        Tensor y = x.matmul(weight.t());
        return bias == null ? y : y.add(bias);
    }

    @Test
    void create_withoutTargets_adaptsEveryLinearMap() {
        Adapter adapter = create(model, settings().replace(", " + TARGETS, ""), new Seed(3));
        assertThat(adapter.state().keySet())
                .contains(GATE)
                .isEqualTo(create(model, all(), new Seed(3)).state().keySet());
    }

    /** Every expert as a block of its own with merged weights, token by token: nothing is shared. */
    @Test
    void forward_sharedFrozenProducts_isTheNaiveFormTokenByToken() {
        Adapter adapter = add("a", all());
        stack.activate("a");
        FeedForward block = Objects.requireNonNull(model.feedForwards().get(BLOCK));
        try (Scope _ = Scope.open();
                Grad _ = Grad.disabled();
                var generator = new Seed(1).generator()) {
            Tensor x = torch.randn(new long[] {9, block.gate().in()}, generator, Tensors.options(DType.F32));
            Tensor got = block.forward(x, Pass.inference());
            for (int t = 0; t < 9; t++) {
                Tensor row = x.select(0, t);
                float[] p = Tensors.floats(torch.softmax(tensor(adapter, GATE).matmul(row), -1));
                int least = 0;
                for (int e = 1; e < 3; e++) {
                    least = p[e] < p[least] ? e : least;
                }
                Tensor want = Tensors.zeros(DType.F32, block.down().out());
                for (int e = 0; e < 3; e++) {
                    if (e != least) {
                        want = want.add(naive(adapter, block, row, e).mul(new Scalar(p[e] / (1 - p[least]))));
                    }
                }
                float largest = want.abs().max().item_float();
                assertThat(got.select(0, t).sub(want).abs().max().item_float()).isLessThan(1e-5f * largest);
            }
        }
    }

    private Tensor naive(Adapter adapter, FeedForward block, Tensor row, int expert) {
        Tensor gate = linear(row, weight(adapter, "gate_proj", expert, 2), bias(block.gate()));
        Tensor up = linear(row, weight(adapter, "up_proj", expert, 2), bias(block.up()));
        Tensor z = gate.div(gate.neg().exp().add(new Scalar(1.0))).mul(up);
        return linear(z, weight(adapter, "down_proj", expert, 2), bias(block.down()));
    }

    private static @Nullable Tensor bias(Linear map) {
        return map.bias() == null ? null : map.bias().frozen();
    }

    @Test
    void forward_oneExpert_isLora() {
        add("mix", all().replace("'num_experts': 3, 'top_k': 2", "'num_experts': 1, 'top_k': 1"));
        Adapter lora =
                Adapter.create(model, TinyModels.config("lora", "{'r': 4, 'lora_alpha': 8, " + ALL + "}"), new Seed(1));
        stack.add("lora", lora);
        Map<String, Tensor> routed = stack.adapter("mix").state();
        try (Grad _ = Grad.disabled()) {
            lora.state()
                    .forEach((key, tensor) -> tensor.copy_(Objects.requireNonNullElseGet(
                            routed.get(key), () -> routed.get(key.replace(".lora_", ".experts.0.lora_")))));
        }
        stack.activate("mix");
        float[] logits = logits();
        stack.activate("lora");
        assertThat(TinyModels.difference(logits(), logits)).isLessThan(5e-6);
    }

    /** {@code L (r sum_attention (in + out) + E r_e sum_block (in + out) + E d)}. */
    @Test
    void parameterCount_allMaps_isThatOfThePage() {
        Adapter adapter = add("a", all().replace("'num_experts'", "'expert_lora': {'r': 2}, 'num_experts'"));
        long count = 0;
        for (SiteShape site : SiteShape.of(model)) {
            if (Arrays.asList("q_proj", "k_proj", "v_proj", "o_proj").contains(site.leaf())) {
                count += 4 * (site.in() + site.out());
            } else if (site.leaf().endsWith("_proj")) {
                count += 3 * 2 * (site.in() + site.out());
            }
        }
        for (FeedForward block : model.feedForwards().values()) {
            count += 3 * block.gate().in();
        }
        assertThat(adapter.parameterCount()).isEqualTo(count);
    }

    /** Even use costs K, not 1, as the code's loss does: its f is a share of tokens, not of choices. */
    @Test
    void value_routersOfZeros_isTopK() {
        Adapter adapter = add("a", all().replace("'num_experts'", "'router_aux_loss_coef': 1.0, 'num_experts'"));
        try (Scope _ = Scope.open();
                Grad _ = Grad.disabled()) {
            adapter.shared().tensors().values().forEach(Tensor::zero_);
        }
        stack.activate("a");
        assertThat(routed(adapter).value()).isCloseTo(2, within(1e-5));
    }

    @Test
    void value_lossSwitchedOff_isNothing() {
        Adapter adapter = add("a", all().replace("'num_experts'", "'router_loss': false, 'num_experts'"));
        stack.activate("a");
        assertThat(routed(adapter).value()).isZero();
    }

    @Test
    void uses_anyBatch_everyTokenVisitsTopKExpertsOfEachLayer() {
        Adapter adapter = add("a", all());
        stack.activate("a");
        RoutingLog log = routed(adapter);
        assertThat(log.uses()).hasSameSizeAs(model.feedForwards());
        assertThat(log.uses().values())
                .allSatisfy(
                        use -> assertThat(Arrays.stream(use.visits()).sum()).isEqualTo(2L * TinyModels.PROMPT.length));
    }

    private RoutingLog routed(Adapter adapter) {
        RoutingLog log = (RoutingLog) Objects.requireNonNull(
                adapter.trainingRule(new Seed(0)).passLoss(1, new int[] {TinyModels.PROMPT.length}));
        try (Scope _ = Scope.open();
                Grad _ = Grad.disabled()) {
            Tensor _ = ((CausalModel) model)
                    .hidden(
                            Batch.of(List.of(TinyModels.PROMPT)),
                            Pass.training(new Seed(0)).with(log));
        }
        return log;
    }

    @Test
    void forward_expertNobodyVisits_hasNoGradient() {
        Adapter adapter = add("a", all().replace("'top_k': 2", "'top_k': 1"));
        try (Scope _ = Scope.open();
                Grad _ = Grad.disabled()) {
            adapter.shared().tensors().values().forEach(Tensor::zero_); // a tie, which one expert wins always
        }
        stack.activate("a");
        loss(true);
        try (Scope _ = Scope.open()) {
            List<Trainable> without = adapter.trainables().stream()
                    .filter(trainable -> trainable.name().contains(".experts."))
                    .filter(trainable -> !trainable.tensor().grad().defined()
                            || trainable.tensor().grad().abs().max().item_float() == 0)
                    .toList();
            assertThat(without).hasSize(2 * 3 * 2 * model.feedForwards().size());
        }
    }

    @Test
    void create_doraExperts_startsAtTheBaseAndSavesMagnitudes(@TempDir Path out) {
        float[] base = logits();
        Adapter adapter = create(
                model, all().replace("'num_experts'", "'expert_lora': {'use_dora': true}, 'num_experts'"), new Seed(3));
        stack.add("a", adapter).activate("a");
        assertThat(TinyModels.difference(logits(), base)).isLessThan(1e-5);
        TinyModels.shake(adapter, 0.1);
        float[] shaken = logits();
        adapter.save(out);
        stack.add("b", Adapter.load(model, out, LoadOptions.STRICT)).activate("b");
        assertThat(logits()).isEqualTo(shaken);
        assertThat(adapter.state().keySet())
                .filteredOn(key -> key.endsWith("lora_magnitude_vector"))
                .hasSize(3 * 3 * model.feedForwards().size());
    }

    @Test
    void activate_withMola_bothAct() {
        add("a", all());
        Adapter mola = Adapter.create(
                model,
                TinyModels.config("mola", "{'r': 4, 'number_experts': 2, 'target_modules': ['gate_proj']}"),
                new Seed(1));
        TinyModels.shake(mola, 0.3);
        stack.add("mola", mola).activate("a");
        float[] alone = logits();
        stack.activate(Map.of("a", 1.0, "mola", 1.0));
        assertThat(TinyModels.difference(logits(), alone)).isGreaterThan(1e-3);
    }

    @Test
    void activate_halfWeight_isHalfOfTheBlocksChange() {
        add("a", settings().replace(TARGETS, "'target_modules': ['gate_proj', 'down_proj']"));
        FeedForward block = Objects.requireNonNull(model.feedForwards().get(BLOCK));
        try (Scope _ = Scope.open();
                Grad _ = Grad.disabled()) {
            Tensor x = Tensors.ones(DType.F32, 3, block.gate().in());
            Tensor plain = block.forward(x, Pass.inference());
            stack.activate("a");
            Tensor whole = block.forward(x, Pass.inference()).sub(plain);
            stack.activate(Map.of("a", 0.5));
            Tensor half = block.forward(x, Pass.inference()).sub(plain);
            assertThat(Tensors.maxDifference(half.mul(new Scalar(2.0)), whole)).isLessThan(1e-5);
        }
    }

    /** Jitter is noise of training; the same seed draws the same, as a block computed again must. */
    @Test
    void forward_jitter_actsInTrainingOnly() {
        add("a", all().replace("'num_experts'", "'jitter_noise': 0.3, 'num_experts'"));
        stack.activate("a");
        FeedForward block = Objects.requireNonNull(model.feedForwards().get(BLOCK));
        try (Scope _ = Scope.open();
                Grad _ = Grad.disabled()) {
            Tensor x = Tensors.ones(DType.F32, 3, block.gate().in());
            Tensor calm = block.forward(x, Pass.inference());
            Tensor noisy = block.forward(x, Pass.training(new Seed(1)));
            assertThat(Tensors.maxDifference(calm, noisy)).isGreaterThan(1e-3);
            assertThat(Tensors.maxDifference(block.forward(x, Pass.training(new Seed(1))), noisy))
                    .isZero();
        }
    }

    /** The names of the framework before MoE-PEFT, with w1, w2, w3 for gate, down and up. */
    @Test
    void load_oldNames_isTheSameAdapter(@TempDir Path out) throws java.io.IOException {
        add("a", all()).save(out.resolve("new"));
        Files.createDirectories(out.resolve("old"));
        try (Scope _ = Scope.open();
                TensorSource source = SafetensorsFile.open(out.resolve("new/adapter_model.safetensors"))) {
            Map<String, Tensor> old = new LinkedHashMap<>();
            source.names().forEach(name -> old.put(oldName(name), source.read(name)));
            SafetensorsFile.write(out.resolve("old/adapter_model.safetensors"), new LinkedHashMap<>(old), Map.of());
        }
        String json = Files.readString(out.resolve("new/adapter_config.json"));
        Files.writeString(out.resolve("old/adapter_config.json"), json.replace(": \"mixlora\"", ": \"mixtral\""));
        stack.add("b", Adapter.load(model, out.resolve("old"), LoadOptions.STRICT));
        stack.activate("a");
        float[] before = logits();
        stack.activate("b");
        assertThat(logits()).isEqualTo(before);
    }

    private static String oldName(String name) {
        String old = name.replace(".mlp.moe_gate.", ".gate.")
                .replace("gate_proj.", "w1_proj.")
                .replace("down_proj.", "w2_proj.")
                .replace("up_proj.", "w3_proj.");
        return old.replaceFirst("\\.mlp\\.(w\\d_proj)\\.(experts\\.\\d+)\\.", ".$2.$1.");
    }

    /** What MoE-PEFT exports: no settings of training beyond these. */
    @Test
    void parse_configurationOfMoePeft_isRead() {
        AdapterConfig config = AdapterConfig.parse(
                TinyModels.json(
                        "{'bias': 'none', 'peft_type': 'MIXLORA', 'task_type': 'CAUSAL_LM',"
                                + " 'base_model_name_or_path': 'x', 'r': 16, 'lora_alpha': 32, 'lora_dropout': 0.05,"
                                + " 'target_modules': ['q_proj', 'gate_proj'], 'routing_strategy': 'mixlora', 'num_experts': 8,"
                                + " 'top_k': 2, 'act_fn': 'silu', 'expert_lora': {'r': 8, 'lora_alpha': 16, 'lora_dropout': 0.0}}"),
                "adapter_config.json");
        assertThat(config.toJson().get("expert_lora").get("r").asInt()).isEqualTo(8);
        assertThat(config.toJson().get("r").asInt()).isEqualTo(16);
    }

    @Test
    void parse_everySetting_isWrittenAgain() {
        String settings = "{'r': 3, 'lora_alpha': 5.0, 'lora_dropout': 0.1, 'use_rslora': true, 'use_dora': true,"
                + " 'expert_lora': {'r': 2, 'lora_alpha': 7.0, 'lora_dropout': 0.2, 'use_rslora': false,"
                + " 'use_dora': false}, 'lora_init': 'gaussian', 'num_experts': 5, 'top_k': 3, 'router_loss': false,"
                + " 'router_aux_loss_coef': 0.5, 'router_init_range': 0.3, 'jitter_noise': 0.2, 'routing_strategy':"
                + " 'mixlora'}";
        var json = TinyModels.config("mixlora", settings).toJson();
        TinyModels.json(settings)
                .properties()
                .forEach(entry -> assertThat(json.get(entry.getKey())).isEqualTo(entry.getValue()));
    }

    @Test
    void plan_noMapOfABlock_isRefused() {
        assertThatThrownBy(() -> TinyModels.config("mixlora", "{'target_modules': ['q_proj']}")
                        .plan(SiteShape.of(model), "llama"))
                .isInstanceOf(LoricaException.BadInput.class)
                .hasMessageContaining("there would be no experts");
    }

    @Test
    void parse_moreChoicesThanExperts_isRefused() {
        assertThatThrownBy(() -> TinyModels.config("mixlora", "{'num_experts': 2, 'top_k': 3}"))
                .isInstanceOf(LoricaException.BadInput.class)
                .hasMessageContaining("'top_k' is 3");
    }

    /** The method page's example. */
    @Test
    void route_topP_keepsTheLikeliestUntilTheirSumExceedsIt() {
        try (Scope _ = Scope.open()) {
            Tensor logits = Tensors.of(new float[] {.15f, .5f, .05f, .3f}, 4).log();
            Router router = new Router(
                    "r",
                    Tensors.zeros(DType.F32, 4, 6),
                    logits,
                    new Router.Choice.TopP(0.7, 0),
                    Router.Shares.PROBABILITY);
            RoutingLog log = new RoutingLog(new Balance(1, Balance.Counts.PER_TOKEN, Balance.Groups.ALL), 1, 3);
            Routing routing =
                    router.route(torch.randn(3, 6), Pass.training(new Seed(1)).with(log));
            assertThat(routing.visits()).containsExactly(0, 3, 0, 3);
            assertThat(Tensors.floats(routing.weights()))
                    .containsExactly(new float[] {.5f, .5f, .5f, .3f, .3f, .3f}, within(1e-6f));
            assertThat(log.value()).as("E sum_e f_e P_e").isCloseTo(4 * (.5 + .3), within(1e-5));
        }
    }

    @Test
    void forward_dynamicRouting_isTheSumOfTheVisitedBlocksByTheirProbabilities() {
        Adapter adapter = add(
                "a",
                all().replace("'top_k': 2", "'routing_strategy': 'mixlora-dynamic', 'top_p': 0.4, 'temperature': 0.9"));
        stack.activate("a");
        FeedForward block = Objects.requireNonNull(model.feedForwards().get(BLOCK));
        try (Scope _ = Scope.open();
                Grad _ = Grad.disabled()) {
            Tensor x = torch.randn(5, block.gate().in());
            Tensor got = block.forward(x, Pass.inference());
            float[] p = Tensors.floats(
                    torch.softmax(x.matmul(tensor(adapter, GATE).t()), -1).div(new Scalar(0.9)));
            for (int t = 0; t < 5; t++) {
                Tensor want = Tensors.zeros(DType.F32, block.down().out());
                double before = 0;
                for (int e : likeliest(p, t)) {
                    if (before <= 0.4) {
                        want = want.add(naive(adapter, block, x.select(0, t), e).mul(new Scalar(p[t * 3 + e])));
                    }
                    before += p[t * 3 + e];
                }
                float largest = want.abs().max().item_float();
                assertThat(got.select(0, t).sub(want).abs().max().item_float()).isLessThan(1e-5f * largest);
            }
        }
    }

    /** Experts of a token, the likeliest first. */
    private static List<Integer> likeliest(float[] p, int token) {
        return Stream.of(0, 1, 2)
                .sorted((one, other) -> Float.compare(p[token * 3 + other], p[token * 3 + one]))
                .toList();
    }

    @Test
    void write_dynamicRouting_isReadBack() {
        String settings = all().replace("'top_k': 2", "'routing_strategy': 'mixlora-dynamic', 'top_p': 0.4");
        MethodConfig config = TinyModels.config(method(), settings).settings();
        ObjectNode json = JsonNodeFactory.instance.objectNode();
        config.writeTo(json);
        assertThat(json.path("routing_strategy").asText()).isEqualTo("mixlora-dynamic");
        assertThat(json.path("top_p").asDouble()).isEqualTo(0.4);
        assertThat(json.has("top_k")).isFalse();
    }

    @Test
    void parse_otherStrategy_isRefused() {
        Stream.of("mixlora-switch", "best")
                .forEach(strategy -> assertThatThrownBy(
                                () -> TinyModels.config("mixlora", "{'routing_strategy': '" + strategy + "'}"))
                        .isInstanceOf(LoricaException.Unsupported.class)
                        .hasMessageContaining(strategy));
    }
}
