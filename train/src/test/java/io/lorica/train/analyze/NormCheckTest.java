package io.lorica.train.analyze;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.lorica.adapter.Adapter;
import io.lorica.adapter.AdapterConfig;
import io.lorica.adapter.AdapterStack;
import io.lorica.model.Linear;
import io.lorica.model.ModelStore;
import io.lorica.model.Pretrained;
import io.lorica.model.Transformer;
import io.lorica.tensor.DType;
import io.lorica.tensor.Grad;
import io.lorica.tensor.LoricaException;
import io.lorica.tensor.Scope;
import io.lorica.tensor.Seed;
import io.lorica.train.data.Example;
import java.nio.file.Path;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.atomic.AtomicReference;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Norms against what the projections of tiny models put out, and against their definition. */
class NormCheckTest {
    private static final long[] TOKENS = {5, 9, 33, 12, 7, 61, 40};

    private Pretrained base = open("smollm2");

    @AfterEach
    void close() {
        base.close();
    }

    private static Pretrained open(String name) {
        Path fixture = Path.of("..", "model", "src", "test", "resources", "fixtures", name);
        return ModelStore.standard().open(fixture.toString(), DType.F32);
    }

    private void use(String name) {
        base.close();
        base = open(name);
    }

    private static Example example(long... tokens) {
        return Example.ofTokens(tokens, new boolean[tokens.length]);
    }

    private List<HeadNorms> norms(long... tokens) {
        return NormCheck.of((Transformer) base.model(), List.of(example(tokens)), _ -> {})
                .getFirst();
    }

    /** What a projection puts out in a forward pass. */
    private Tensor output(String site) {
        AtomicReference<@Nullable Tensor> seen = new AtomicReference<>();
        Linear linear = (Linear) Objects.requireNonNull(base.model().sites().get(site));
        linear.attach((self, x, _) -> {
            Tensor y = self.base(x);
            seen.set(Scope.release(y));
            return y;
        });
        norms(TOKENS);
        linear.detachOverlay();
        return Objects.requireNonNull(seen.get());
    }

    @Test
    void norms_values_areTheLargestOutputsOfTheProjection() {
        try (Tensor v = output("model.layers.1.self_attn.v_proj")) {
            double largest = v.abs().max().item_double();
            assertThat(norms(TOKENS).stream()
                            .filter(head -> head.layer().equals("1"))
                            .mapToDouble(HeadNorms::gV)
                            .max())
                    .hasValueCloseTo(largest, within(1e-6));
        }
    }

    /** Rotation keeps lengths of pairs, so the longest row of a head before positions is the longest after. */
    @Test
    void norms_scoreBound_isOfTheRotatedRowsWhoseLengthsAreThoseOfTheProjections() {
        HeadNorms first = norms(TOKENS).getFirst();
        try (Tensor q = output("model.layers.0.self_attn.q_proj");
                Tensor k = output("model.layers.0.self_attn.k_proj");
                Scope _ = Scope.open()) {
            double longestQ = longestRow(q.narrow(1, 0, first.width()));
            double longestK = longestRow(k.narrow(1, 0, first.width()));
            assertThat(first.scoreBound()).isCloseTo(longestQ * longestK / Math.sqrt(first.width()), within(1e-5));
        }
    }

    private static double longestRow(Tensor x) {
        return Math.sqrt(x.square().sum(new long[] {1}, false, null).max().item_double());
    }

    @ParameterizedTest
    @CsvSource({"smollm2", "gpt2", "bert"})
    void norms_everyFamily_hasEveryHeadOfEveryLayer(String fixture) {
        use(fixture);
        var json = base.model().config().json();
        int layers = json.path(fixture.equals("gpt2") ? "n_layer" : "num_hidden_layers")
                .asInt();
        int heads = json.path(fixture.equals("gpt2") ? "n_head" : "num_attention_heads")
                .asInt();
        assertThat(norms(TOKENS)).hasSize(layers * heads);
    }

    @Test
    void norms_oneToken_isRefused() {
        assertThatThrownBy(() -> norms(5))
                .isInstanceOf(LoricaException.BadInput.class)
                .hasMessageContaining("has 1 token");
    }

    @Test
    void norms_freshAdapter_areTheBases() {
        List<HeadNorms> bare = norms(TOKENS);
        try (AdapterStack _ = adapted(0)) {
            assertThat(norms(TOKENS)).isEqualTo(bare);
        }
    }

    @Test
    void norms_adapterScaledUp_growAtMostLinearlyAndEndAbove() {
        double before = 0;
        for (double size : new double[] {10, 20, 40}) {
            try (AdapterStack _ = adapted(size)) {
                HeadNorms head = norms(TOKENS).getFirst();
                assertThat(head.gQ()).isGreaterThan(before);
                assertThat(before == 0 ? 0 : head.gQ() / before).isLessThanOrEqualTo(2.0);
                assertThat(head.verdict()).isEqualTo(HeadNorms.Verdict.ABOVE);
                before = head.gQ();
            }
        }
    }

    @Test
    void verdict_largerEntries_turnsFromBelowToAboveAtTheThreshold() {
        double turn = Math.sqrt(Math.log(1024)) / Math.sqrt(2);
        assertThat(new HeadNorms("0", 0, 1024, 4, 0.99 * turn, 1, 1, 1).verdict())
                .isEqualTo(HeadNorms.Verdict.BELOW);
        assertThat(new HeadNorms("0", 0, 1024, 4, 1.01 * turn, 1, 1, 1).verdict())
                .isEqualTo(HeadNorms.Verdict.ABOVE);
    }

    /** LoRA on the queries, {@code B} filled with one number. */
    private AdapterStack adapted(double b) {
        Adapter adapter = Adapter.create(
                base.model(),
                AdapterConfig.of("lora", (ObjectNode) new ObjectMapper()
                        .createObjectNode()
                        .put("r", 2)
                        .set(
                                "target_modules",
                                new ObjectMapper().createArrayNode().add("q_proj"))),
                new Seed(1));
        try (Scope _ = Scope.open();
                Grad _ = Grad.disabled()) {
            adapter.trainables().stream()
                    .filter(tensor -> tensor.name().contains("lora_B"))
                    .forEach(tensor -> tensor.tensor().fill_(new Scalar(b)));
        }
        AdapterStack stack = new AdapterStack(base.model()).add("a", adapter);
        stack.activate("a");
        return stack;
    }

    @Test
    void ratio_ofKnownNorms_isByTheDefinition() {
        HeadNorms head = new HeadNorms("0", 0, 1024, 4, 1, 1.5, 0.5, 2);
        assertThat(head.gamma()).isCloseTo(Math.sqrt(2) * 1.5, within(1e-12));
        assertThat(head.threshold()).isCloseTo(2.6328, within(1e-4));
        assertThat(head.verdict()).isEqualTo(HeadNorms.Verdict.BELOW);
    }

    @Test
    void report_severalSequences_keepsTheWorstAndCountsTheRest() {
        HeadNorms low = new HeadNorms("0", 0, 1024, 4, 1, 1, 1, 1);
        HeadNorms high = new HeadNorms("0", 0, 512, 4, 9, 1, 1, 20);
        NormReport report = NormReport.of(List.of(List.of(low), List.of(high), List.of(low)), null, 1e-3);
        HeadCheck head = report.heads().getFirst();
        assertThat(head.worst()).isEqualTo(high);
        assertThat(head.below()).isEqualTo(2);
        assertThat(report.below()).isZero();
    }

    /** d = 4, b = 1, eps = 1e-3: degree 6, rank 210; 8 L 210 16 against 6 L^2 8 operations, so even at L = 560. */
    @Test
    void advice_turnsAtTheLengthWhereOperationsAreEqual() {
        HeadCheck shorter = new HeadCheck(new HeadNorms("0", 0, 559, 4, 1, 1, 1, 1), null, 1, 1, 1e-3);
        HeadCheck longer = new HeadCheck(new HeadNorms("0", 0, 561, 4, 1, 1, 1, 1), null, 1, 1, 1e-3);
        assertThat(shorter.rank()).isEqualTo(210);
        assertThat(shorter.advice()).isEqualTo(HeadCheck.Advice.EXACT);
        assertThat(longer.advice()).isEqualTo(HeadCheck.Advice.APPROX);
    }
}
