package io.lorica.adapter;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import io.lorica.adapter.moe.RoutingLog;
import io.lorica.model.Batch;
import io.lorica.model.CausalModel;
import io.lorica.model.Pass;
import io.lorica.tensor.DType;
import io.lorica.tensor.Grad;
import io.lorica.tensor.LoricaException;
import io.lorica.tensor.Scope;
import io.lorica.tensor.Seed;
import io.lorica.tensor.Tensors;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class MolaMethodTest extends MethodContract {
    private static final String SITE = "model.layers.0.self_attn.q_proj";
    private static final String ROUTER = "router.router.weight";

    @Override
    String method() {
        return "mola";
    }

    @Override
    String settings() {
        return "{'r': 4, 'lora_alpha': 8, 'lora_dropout': 0.0, 'number_experts': 3, 'top_k': 2, " + TARGETS + "}";
    }

    @Override
    boolean mergeable() {
        return false;
    }

    @Override
    List<String> suffixes() {
        return List.of(
                ".lora_A_0.weight",
                ".lora_B_0.weight",
                ".lora_A_1.weight",
                ".lora_B_1.weight",
                ".lora_A_2.weight",
                ".lora_B_2.weight",
                ".router.router.weight");
    }

    private Adapter add(String name, String settings) {
        Adapter adapter = create(model, settings, new Seed(3));
        TinyModels.shake(adapter, 0.3, new Seed(5));
        stack.add(name, adapter);
        return adapter;
    }

    private static Tensor tensor(Adapter adapter, String suffix) {
        return tensor(Objects.requireNonNull(adapter.sites().get(SITE)), suffix);
    }

    private static Tensor tensor(SiteAdapter part, String suffix) {
        return Objects.requireNonNull(part.tensors().get(suffix));
    }

    /** Loops over tokens, the formula as it is written. */
    @Test
    void apply_anyRouting_isTheFormulaTokenByToken() {
        Adapter adapter = add("a", settings());
        SiteAdapter part = Objects.requireNonNull(adapter.sites().get(SITE));
        try (Scope _ = Scope.open();
                Grad _ = Grad.disabled();
                var generator = new Seed(1).generator()) {
            Tensor x = torch.randn(new long[] {9, part.site().in()}, generator, Tensors.options(DType.F32));
            Tensor zero = Tensors.zeros(DType.F32, 9, part.site().out());
            Tensor got = part.apply(x, zero, zero, 1, Pass.inference());
            for (int t = 0; t < 9; t++) {
                Tensor row = x.select(0, t);
                float[] p = Tensors.floats(torch.softmax(tensor(adapter, ROUTER).matmul(row), -1));
                int least = 0;
                for (int e = 1; e < 3; e++) {
                    least = p[e] < p[least] ? e : least;
                }
                Tensor want = zero.select(0, t);
                for (int e = 0; e < 3; e++) {
                    if (e != least) {
                        Tensor hidden =
                                tensor(adapter, "lora_A_" + e + ".weight").matmul(row);
                        want = want.add(tensor(adapter, "lora_B_" + e + ".weight")
                                .matmul(hidden)
                                .mul(new Scalar(2 * p[e] / (1 - p[least]))));
                    }
                }
                assertThat(got.select(0, t).sub(want).abs().max().item_float()).isLessThan(1e-5f);
            }
        }
    }

    @Test
    void apply_oneExpert_isLora() {
        add("mola", settings().replace("'number_experts': 3, 'top_k': 2", "'number_experts': 1, 'top_k': 1"));
        Adapter lora = Adapter.create(
                model, TinyModels.config("lora", "{'r': 4, 'lora_alpha': 8, " + TARGETS + "}"), new Seed(1));
        stack.add("lora", lora);
        try (Grad _ = Grad.disabled()) {
            lora.sites().forEach((name, part) -> {
                SiteAdapter routed =
                        Objects.requireNonNull(stack.adapter("mola").sites().get(name));
                tensor(part, "lora_A.weight").copy_(tensor(routed, "lora_A_0.weight"));
                tensor(part, "lora_B.weight").copy_(tensor(routed, "lora_B_0.weight"));
            });
        }
        stack.activate("mola");
        float[] routed = logits();
        stack.activate("lora");
        assertThat(logits()).isEqualTo(routed);
    }

    @Test
    void apply_expertsAndRouterRowsPermuted_isTheSame() {
        Adapter adapter = add("a", settings());
        stack.activate("a");
        float[] before = logits();
        try (Scope _ = Scope.open();
                Grad _ = Grad.disabled()) {
            for (SiteAdapter part : adapter.sites().values()) {
                for (String factor : List.of("lora_A_", "lora_B_")) {
                    Tensor first = tensor(part, factor + "0.weight").clone();
                    tensor(part, factor + "0.weight").copy_(tensor(part, factor + "2.weight"));
                    tensor(part, factor + "2.weight").copy_(first);
                }
                Tensor router = tensor(part, ROUTER);
                router.copy_(router.index_select(0, Tensors.of(new long[] {2, 1, 0})));
            }
        }
        assertThat(TinyModels.difference(logits(), before)).isLessThan(1e-5);
    }

    @Test
    void create_numbersByLayer_giveEachLayerItsExperts(@TempDir Path out) {
        Adapter adapter = add("a", settings().replace("'number_experts': 3", "'number_experts': '2-5'"));
        int layers = ((CausalModel) model).blocks().size();
        adapter.sites()
                .forEach((name, part) -> assertThat(part.experts())
                        .hasSize(Integer.parseInt(name.split("\\.")[2]) < layers / 2 ? 2 : 5));
        adapter.save(out);
        Adapter loaded = Adapter.load(model, out, LoadOptions.STRICT);
        stack.add("b", loaded);
        assertThat(loaded.config().toJson().get("number_experts")).hasSize(layers);
        stack.activate("a");
        float[] before = logits();
        stack.activate("b");
        assertThat(logits()).isEqualTo(before);
    }

    /** The collapse of all tokens onto one expert costs more than even use, and the gradient says so. */
    @Test
    void balance_gradient_isTheDerivativeOfItsValue() {
        String settings = settings().replace("'top_k': 2", "'top_k': 1, 'obalance': true, 'router_aux_loss_coef': 5.0");
        Adapter adapter = add("a", settings);
        stack.activate("a");
        TrainingRule rule = adapter.trainingRule(new Seed(0));
        Tensor router = tensor(adapter, ROUTER);
        double left = balance(rule, router, -1e-3);
        double right = balance(rule, router, 1e-3);
        balance(rule, router, 0);
        try (Scope _ = Scope.open()) {
            assertThat(router.grad().select(0, 0).select(0, 0).item_double())
                    .isCloseTo((right - left) / 2e-3, within(1e-3 + 0.02 * Math.abs(right - left) / 2e-3));
        }
    }

    private double balance(TrainingRule rule, Tensor router, double step) {
        PassLoss inside = Objects.requireNonNull(rule.passLoss(1, new int[] {TinyModels.PROMPT.length}));
        try (Scope _ = Scope.open()) {
            try (Grad _ = Grad.disabled()) {
                router.select(0, 0).select(0, 0).add_(new Scalar(step));
            }
            CausalModel causal = (CausalModel) model;
            Tensor hidden = causal.hidden(
                    Batch.of(List.of(TinyModels.PROMPT)),
                    Pass.training(new Seed(0)).with(inside));
            if (step == 0) {
                hidden.mul(new Scalar(0.0)).sum().backward();
            }
            try (Grad _ = Grad.disabled()) {
                router.select(0, 0).select(0, 0).sub_(new Scalar(step));
            }
        }
        return inside.value();
    }

    /** Two rows of the page: probabilities .9/.1, .8/.2, .6/.4, .3/.7 of two experts, one choice each. */
    @Test
    void value_fourTokens_isThatOfThePage() {
        Adapter adapter = create(
                model,
                "{'r': 2, 'number_experts': 2, 'top_k': 1, 'obalance': true, 'router_aux_loss_coef': 1.0,"
                        + " 'target_modules': ['q_proj'], 'layers_to_transform': [0]}",
                new Seed(1));
        stack.add("a", adapter);
        SiteAdapter part = Objects.requireNonNull(adapter.sites().get(SITE));
        RoutingLog log = (RoutingLog) Objects.requireNonNull(
                adapter.trainingRule(new Seed(0)).passLoss(1, new int[] {TinyModels.PROMPT.length}));
        double[] first = {0.9, 0.8, 0.6, 0.3};
        try (Scope _ = Scope.open();
                Grad _ = Grad.disabled()) {
            Tensor router = tensor(adapter, ROUTER);
            router.zero_();
            router.select(0, 0).select(0, 0).fill_(new Scalar(1.0));
            float[] rows = new float[4 * (int) part.site().in()];
            for (int t = 0; t < 4; t++) {
                rows[t * (int) part.site().in()] = (float) Math.log(first[t] / (1 - first[t]));
            }
            Tensor x = Tensors.of(rows, 4, part.site().in());
            Tensor zero = Tensors.zeros(DType.F32, 4, part.site().out());
            part.apply(x, zero, zero, 1, Pass.training(new Seed(0)).with(log));
        }
        assertThat(log.value()).isCloseTo(1.15, within(1e-5));
    }

    @Test
    void create_moreChoicesThanExperts_isRefused() {
        assertThatThrownBy(() -> create(model, settings().replace("'top_k': 2", "'top_k': 4"), new Seed(1)))
                .isInstanceOf(LoricaException.BadInput.class)
                .hasMessageContaining("top_k is 4 in layer 0, which has 3 experts");
    }

    @Test
    void create_listOfAnotherLength_isRefused() {
        assertThatThrownBy(() -> create(
                        model, settings().replace("'number_experts': 3", "'number_experts': [2, 2, 2]"), new Seed(1)))
                .isInstanceOf(LoricaException.BadInput.class)
                .hasMessageContaining("'number_experts' has 3 numbers");
    }

    @Test
    void merge_isRefusedWithTheReason() {
        add("a", settings());
        assertThatThrownBy(() -> stack.merge(Map.of("a", 1.0), MergeOptions.of(DType.F32)))
                .isInstanceOf(LoricaException.Unsupported.class)
                .hasMessageContaining("cannot be merged");
    }
}
