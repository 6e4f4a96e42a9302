package io.lorica.adapter;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import io.lorica.model.BaseModel;
import io.lorica.model.Batch;
import io.lorica.model.CausalModel;
import io.lorica.model.FeedForward;
import io.lorica.model.Linear;
import io.lorica.model.Pass;
import io.lorica.tensor.DType;
import io.lorica.tensor.Grad;
import io.lorica.tensor.LoricaException;
import io.lorica.tensor.Scope;
import io.lorica.tensor.Seed;
import io.lorica.tensor.Tensors;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class LlavaMoleMethodTest extends MethodContract {
    private static final String BLOCK = "model.layers.0.mlp";
    private static final String ALL =
            "'target_modules': ['q_proj', 'k_proj', 'v_proj', 'o_proj', 'gate_proj', 'up_proj', 'down_proj']";
    private static final String ROUTER = "base_model.model." + BLOCK + ".router.";

    @Override
    String method() {
        return "llava-mole";
    }

    @Override
    String settings() {
        return "{'r': 4, 'lora_alpha': 8, 'lora_dropout': 0.0, 'num_experts': 3, 'router_mode': 'sparse', " + TARGETS
                + "}";
    }

    private String all(String mode) {
        return settings().replace("sparse", mode).replace(TARGETS, ALL);
    }

    @Override
    boolean mergeable() {
        return false;
    }

    @Override
    String prefix() {
        return "llava_mole.layers.";
    }

    @Override
    List<String> suffixes() {
        return List.of(
                ".self_attn.q_proj.lora_A.weight",
                ".self_attn.q_proj.lora_B.weight",
                ".mlp.moe_down.0.lora_A",
                ".mlp.moe_down.0.lora_B",
                ".mlp.moe_down.1.lora_A",
                ".mlp.moe_down.1.lora_B",
                ".mlp.moe_down.2.lora_A",
                ".mlp.moe_down.2.lora_B",
                ".mlp.router.weight",
                ".mlp.router.bias");
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

    /** The formula as it is written, token by token, the update of each map formed as a matrix. */
    @ParameterizedTest
    @ValueSource(strings = {"sparse", "sparse_st", "dense"})
    void forward_anyMode_isTheFormulaTokenByToken(String mode) {
        Adapter adapter = add("a", all(mode));
        stack.activate("a");
        FeedForward block = Objects.requireNonNull(model.feedForwards().get(BLOCK));
        try (Scope _ = Scope.open();
                Grad _ = Grad.disabled();
                var generator = new Seed(1).generator()) {
            Tensor x = torch.randn(new long[] {9, block.gate().in()}, generator, Tensors.options(DType.F32));
            Tensor got = block.forward(x, Pass.inference());
            for (int t = 0; t < 9; t++) {
                Tensor row = x.select(0, t);
                Tensor p = torch.softmax(
                        tensor(adapter, ROUTER + "weight").matmul(row).add(tensor(adapter, ROUTER + "bias")), -1);
                float[] shares = mode.equals("dense") ? Tensors.floats(p) : new float[3];
                if (!mode.equals("dense")) {
                    shares[(int) p.argmax().item_long()] = 1;
                }
                Tensor gate = map(adapter, block.gate(), row, shares);
                Tensor z = gate.div(gate.neg().exp().add(new Scalar(1.0))).mul(map(adapter, block.up(), row, shares));
                Tensor want = map(adapter, block.down(), z, shares);
                assertThat(got.select(0, t).sub(want).abs().max().item_float())
                        .isLessThan(1e-5f * want.abs().max().item_float());
            }
        }
    }

    private static Tensor map(Adapter adapter, Linear map, Tensor x, float[] shares) {
        Tensor weight = map.weight().frozen();
        for (int e = 0; e < shares.length; e++) {
            String at = "base_model.model." + map.name() + ".experts." + e + ".lora_";
            Tensor product = tensor(adapter, at + "B.weight").mm(tensor(adapter, at + "A.weight"));
            weight = weight.add(product.mul(new Scalar(2.0 * shares[e])));
        }
        Tensor y = weight.matmul(x);
        return map.bias() == null ? y : y.add(map.bias().frozen());
    }

    @Test
    void forward_oneExpert_isLoraWithoutBalanceLoss() {
        Adapter mole = add("mole", all("sparse").replace("'num_experts': 3", "'num_experts': 1"));
        Adapter lora =
                Adapter.create(model, TinyModels.config("lora", "{'r': 4, 'lora_alpha': 8, " + ALL + "}"), new Seed(1));
        stack.add("lora", lora);
        Map<String, Tensor> routed = mole.state();
        try (Grad _ = Grad.disabled()) {
            lora.state()
                    .forEach((key, tensor) -> tensor.copy_(Objects.requireNonNullElseGet(
                            routed.get(key), () -> routed.get(key.replace(".lora_", ".experts.0.lora_")))));
        }
        stack.activate("mole");
        float[] logits = logits();
        assertThat(log(mole, TinyModels.PROMPT).value()).isZero();
        stack.activate("lora");
        assertThat(TinyModels.difference(logits(), logits)).isLessThan(1e-5);
    }

    @Test
    void backward_sparse_routersHaveNoGradientFromTheTask() {
        assertThat(routerGradient("sparse")).isZero();
    }

    @Test
    void backward_sparseStraightThrough_routersLearnFromTheTask() {
        assertThat(routerGradient("sparse_st")).isGreaterThan(1e-4);
    }

    /** Largest gradient of a router under a loss on the logits alone. */
    private double routerGradient(String mode) {
        Adapter adapter = add("a", all(mode));
        stack.activate("a");
        loss(true);
        try (Scope _ = Scope.open()) {
            return tensor(adapter, ROUTER + "weight").grad().abs().max().item_double();
        }
    }

    private PassLoss log(Adapter adapter, long[]... sequences) {
        int[] lengths = new int[sequences.length];
        for (int i = 0; i < lengths.length; i++) {
            lengths[i] = sequences[i].length;
        }
        PassLoss log = Objects.requireNonNull(adapter.trainingRule(new Seed(0)).passLoss(1, lengths));
        try (Scope _ = Scope.open();
                Grad _ = Grad.disabled()) {
            Tensor _ = ((CausalModel) model)
                    .hidden(
                            Batch.of(List.of(sequences)),
                            Pass.training(new Seed(0)).with(log));
        }
        return log;
    }

    private static String weighted(String settings) {
        return settings.replace("'num_experts'", "'moe_balance_w': 1.0, 'num_experts'");
    }

    /** The routers' weights are 0, so that the biases alone decide. */
    private Adapter decided(float... bias) {
        Adapter adapter = add("a", weighted(all("sparse")).replace("'num_experts': 3", "'num_experts': 2"));
        try (Scope _ = Scope.open();
                Grad _ = Grad.disabled()) {
            int layer = 0;
            for (FeedForward block : model.feedForwards().values()) {
                String at = "base_model.model." + block.name() + ".router.";
                tensor(adapter, at + "weight").zero_();
                float first = bias[layer++ % bias.length];
                tensor(adapter, at + "bias").copy_(Tensors.of(new float[] {first, -first}, 2));
            }
        }
        stack.activate("a");
        return adapter;
    }

    @Test
    void value_collapsedRouters_isOne() {
        assertThat(log(decided(30), TinyModels.PROMPT).value()).isCloseTo(1, within(1e-5));
    }

    /** Layers are pooled: two that each collapsed, on different experts, cost as little as even use. */
    @Test
    void value_layersCollapsedOnDifferentExperts_isThatOfEvenUse() {
        assertThat(model.feedForwards()).hasSize(2);
        assertThat(log(decided(30, -30), TinyModels.PROMPT).value()).isCloseTo(0.5, within(1e-5));
    }

    /** Pooled over the batch it would weigh long sequences more. */
    @Test
    void value_sequencesOfDifferentLength_isTheMeanOfEachAlone() {
        Adapter adapter = add("a", weighted(all("sparse")));
        stack.activate("a");
        long[] other = {3, 60};
        double alone =
                (log(adapter, TinyModels.PROMPT).value() + log(adapter, other).value()) / 2;
        assertThat(log(adapter, TinyModels.PROMPT, other).value()).isCloseTo(alone, within(1e-5));
    }

    @Test
    void balance_gradient_isTheDerivativeOfItsValue() {
        Adapter adapter = add("a", weighted(all("sparse")).replace("1.0", "5.0"));
        stack.activate("a");
        Tensor bias = tensor(adapter, ROUTER + "bias");
        double left = balance(adapter, bias, -1e-3);
        double right = balance(adapter, bias, 1e-3);
        balance(adapter, bias, 0);
        try (Scope _ = Scope.open()) {
            assertThat(bias.grad().select(0, 0).item_double())
                    .isCloseTo((right - left) / 2e-3, within(1e-3 + 0.02 * Math.abs(right - left) / 2e-3));
        }
    }

    private double balance(Adapter adapter, Tensor bias, double step) {
        long[] other = {3, 60};
        PassLoss inside = Objects.requireNonNull(adapter.trainingRule(new Seed(0))
                .passLoss(1, new int[] {TinyModels.PROMPT.length, 2}));
        try (Scope _ = Scope.open()) {
            try (Grad _ = Grad.disabled()) {
                bias.select(0, 0).add_(new Scalar(step));
            }
            Tensor hidden = ((CausalModel) model)
                    .hidden(
                            Batch.of(List.of(TinyModels.PROMPT, other)),
                            Pass.training(new Seed(0)).with(inside));
            if (step == 0) {
                hidden.mul(new Scalar(0.0)).sum().backward();
            }
            try (Grad _ = Grad.disabled()) {
                bias.select(0, 0).sub_(new Scalar(step));
            }
        }
        return inside.value();
    }

    /** {@code L ((E - 1) 3 r (d + f) + E (d + 1))} more than LoRA. */
    @Test
    void parameterCount_besideLora_isThatOfThePage() {
        Adapter mole = add("a", all("sparse"));
        Adapter lora =
                Adapter.create(model, TinyModels.config("lora", "{'r': 4, 'lora_alpha': 8, " + ALL + "}"), new Seed(1));
        stack.add("lora", lora);
        Linear gate = Objects.requireNonNull(model.feedForwards().get(BLOCK)).gate();
        long layers = model.feedForwards().size();
        assertThat(mole.parameterCount() - lora.parameterCount())
                .isEqualTo(layers * (2 * 3 * 4 * (gate.in() + gate.out()) + 3 * (gate.in() + 1)));
    }

    /** CLIP's tower has maps of the same names; the method is the language model's. */
    @Test
    void create_llava_adaptsTheLanguageModelAlone() {
        try (BaseModel llava = TinyModels.open("llava", DType.F32);
                AdapterStack on = new AdapterStack(llava)) {
            float[] base = TinyModels.logits(llava, 5, 9, 3, 12);
            Adapter adapter = create(llava, all("sparse_st"), new Seed(1));
            on.add("a", adapter).activate("a");
            assertThat(adapter.sites().keySet())
                    .isNotEmpty()
                    .allMatch(site -> site.startsWith("model.language_model.layers."));
            assertThat(TinyModels.difference(TinyModels.logits(llava, 5, 9, 3, 12), base))
                    .isLessThan(1e-5);
            TinyModels.shake(adapter, 0.3);
            assertThat(TinyModels.difference(TinyModels.logits(llava, 5, 9, 3, 12), base))
                    .isGreaterThan(1e-3);
        }
    }

    @Test
    void parse_everySetting_isWrittenAgain() {
        String settings = "{'r': 3, 'lora_alpha': 5.0, 'lora_dropout': 0.1, 'num_experts': 5, 'router_mode': 'dense',"
                + " 'moe_balance_w': 0.5}";
        var json = TinyModels.config("llava-mole", settings).toJson();
        TinyModels.json(settings)
                .properties()
                .forEach(entry -> assertThat(json.get(entry.getKey())).isEqualTo(entry.getValue()));
    }

    @Test
    void parse_unknownMode_isRefused() {
        assertThatThrownBy(() -> TinyModels.config("llava-mole", "{'router_mode': 'spars'}"))
                .isInstanceOf(LoricaException.BadInput.class)
                .hasMessageContaining("did you mean 'sparse'");
    }
}
