package io.lorica.adapter;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.lorica.adapter.lowrank.Start;
import io.lorica.model.BaseModel;
import io.lorica.model.Linear;
import io.lorica.tensor.DType;
import io.lorica.tensor.Grad;
import io.lorica.tensor.LoricaException;
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
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class LolduMethodTest extends MethodContract {
    private static final String SITE = "model.layers.0.self_attn.q_proj"; // [48, 32]

    @Override
    String method() {
        return "loldu";
    }

    @Override
    List<String> suffixes() {
        return List.of(".vector_z", ".vector_z_start");
    }

    @ParameterizedTest
    @ValueSource(strings = {"lu", "uniform", "s_uniform", "normal", "s_normal", "constant", "ones", "zeros"})
    void create_anyInit_startsAtTheBase(String init) {
        float[] base = logits();
        stack.add("a", create(model, "{'r': 4, 'init_method': '" + init + "', " + TARGETS + "}", new Seed(1)));
        stack.activate("a");
        assertThat(TinyModels.difference(logits(), base)).isLessThan(1e-5);
    }

    private static Tensor tensor(SiteAdapter part, String suffix) {
        return Objects.requireNonNull(part.tensors().get(suffix)).detach();
    }

    @Test
    void create_alphaIsRank_residualIsTheSchurComplement() {
        Adapter adapter = create(model, "{'r': 4, " + TARGETS + "}", new Seed(1));
        stack.add("a", adapter);
        SiteAdapter part = Objects.requireNonNull(adapter.sites().get(SITE));
        try (Scope _ = Scope.open();
                Grad _ = Grad.disabled()) {
            Tensor w = Start.frozen((Linear) part.site());
            Tensor z = tensor(part, "vector_z");
            Tensor residual = w.sub(tensor(part, "ldu_lower").mul(z).mm(tensor(part, "ldu_upper")));
            assertThat(residual.narrow(1, 0, 4).abs().max().item_double()).isLessThan(1e-5);
            assertThat(torch.linalg_matrix_rank(residual, 1e-4, false).item_long())
                    .isEqualTo(28);
        }
    }

    @Test
    void backward_diagonal_isThatOfTheWeightsGradientBetweenTheFactors() {
        Adapter adapter = shaken("a");
        stack.activate("a");
        SiteAdapter part = Objects.requireNonNull(adapter.sites().get(SITE));
        loss(true);
        try (Scope _ = Scope.open()) {
            Tensor a = tensor(part, "ldu_upper");
            Tensor b = tensor(part, "ldu_lower");
            Tensor ofZ = Objects.requireNonNull(part.tensors().get("vector_z")).grad();
            Tensor leaf = part.site().weight().frozen().clone().requires_grad_(true);
            part.site().weight().override(() -> leaf);
            loss(true);
            part.site().weight().restore();
            Tensor expected = torch.diag(b.t().mm(leaf.grad()).mm(a.t()));
            // s = 2; the second backward pass added the same gradient to z once more
            assertThat(Tensors.maxDifference(
                            ofZ, expected.add(expected).add(expected).add(expected)))
                    .isLessThan(1e-3 * (1 + ofZ.abs().max().item_double()));
        }
    }

    @Test
    void trainables_countTheDiagonals() {
        assertThat(fresh("a").parameterCount()).isEqualTo(4 * 4);
    }

    @Test
    void save_file_holdsDiagonalsOnly(@TempDir Path out) {
        shaken("a").save(out);
        try (TensorSource source = SafetensorsFile.open(out.resolve("adapter_model.safetensors"))) {
            assertThat(source.names())
                    .allSatisfy(name -> assertThat(source.info(name).shape()).containsExactly(4));
        }
    }

    @Test
    void load_otherDtype_isRefused(@TempDir Path out) {
        shaken("a").save(out);
        try (BaseModel half = TinyModels.open(base(), DType.BF16)) {
            assertThatThrownBy(() -> Adapter.load(half, out, new LoadOptions(true, false, false, null)))
                    .isInstanceOf(LoricaException.Incompatible.class)
                    .hasMessageContaining("--dtype f32");
        }
    }
}
