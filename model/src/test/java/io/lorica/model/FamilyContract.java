package io.lorica.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.withinPercentage;

import io.lorica.tensor.DType;
import io.lorica.tensor.Grad;
import io.lorica.tensor.LoricaException;
import io.lorica.tensor.Scope;
import io.lorica.tensor.TensorSource;
import io.lorica.tensor.Tensors;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * What every model family promises. A new family extends {@link CausalContract} or {@link EncoderContract} (this one
 * where its input is no sequence of tokens) and names its fixtures; the expected numbers are transformers'.
 */
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
public abstract class FamilyContract {

    /** Names of fixture directories. */
    protected abstract Stream<String> fixtures();

    /** Which of the stored answers {@link #one} computes. */
    protected abstract String kind();

    /** The answer to one of a fixture's inputs. */
    protected abstract Tensor one(BaseModel model, Fixture fixture, int input);

    /** The answers to all of a fixture's inputs in one pass. */
    protected abstract Tensor all(BaseModel model, Fixture fixture);

    @ParameterizedTest
    @MethodSource("fixtures")
    void answer_oneInput_equalsTransformers(String name) {
        Fixture fixture = Fixture.named(name);
        List<float[]> expected = fixture.floats(kind());
        try (BaseModel model = fixture.load(DType.F32)) {
            for (int i = 0; i < expected.size(); i++) {
                assertThat(alone(fixture, model, i)).as("input %d", i).hasSameSizeAs(expected.get(i));
                assertThat(Distances.largest(alone(fixture, model, i), expected.get(i)))
                        .as("input %d", i)
                        .isLessThan(1e-4);
            }
        }
    }

    @ParameterizedTest
    @MethodSource("fixtures")
    void answer_allInputsTogether_equalsEachAlone(String name) {
        Fixture fixture = Fixture.named(name);
        try (BaseModel model = fixture.load(DType.F32);
                Grad _ = Grad.disabled();
                Scope _ = Scope.open()) {
            float[] packed = Tensors.floats(all(model, fixture));
            List<float[]> alone = new ArrayList<>();
            for (int i = 0; i < fixture.floats(kind()).size(); i++) {
                alone.add(alone(fixture, model, i));
            }
            assertThat(Distances.largest(packed, Distances.joined(alone))).isLessThan(1e-5);
        }
    }

    @ParameterizedTest
    @MethodSource("fixtures")
    void answer_bfloat16_staysNearFloat32(String name) {
        Fixture fixture = Fixture.named(name);
        float[] expected = fixture.floats(kind()).get(0);
        try (BaseModel model = fixture.load(DType.BF16)) {
            // Eight bits of mantissa through two layers of random weights: a few percent of the answer's size.
            assertThat(Distances.relative(alone(fixture, model, 0), expected)).isLessThan(0.04);
        }
    }

    @ParameterizedTest
    @MethodSource("fixtures")
    void parameters_ofFixture_areTheCheckpointsTensors(String name) {
        Fixture fixture = Fixture.named(name);
        try (BaseModel model = fixture.load(DType.F32);
                TensorSource source = fixture.source()) {
            assertThat(model.parameters().keySet()).containsExactlyInAnyOrderElementsOf(source.names());
            assertThat(model.ignored()).isEmpty();
        }
    }

    @ParameterizedTest
    @MethodSource("fixtures")
    void sites_ofFixture_bearTheirParametersNames(String name) {
        try (BaseModel model = Fixture.named(name).load(DType.F32)) {
            List<String> tied = model.sites().values().stream()
                    .filter(site -> !site.weight().name().equals(site.name() + ".weight"))
                    .map(Site::name)
                    .toList();
            assertThat(tied).isSubsetOf(model.outputHead());
            assertThat(model.sites()).allSatisfy((key, site) -> {
                assertThat(site.name()).isEqualTo(key);
                assertThat(site.in() * site.out())
                        .isEqualTo(site.weight().value().numel());
            });
        }
    }

    @ParameterizedTest
    @MethodSource("fixtures")
    void backward_fromTheAnswer_agreesWithTheSlopeAlongTheGradient(String name) {
        Fixture fixture = Fixture.named(name);
        try (BaseModel model = fixture.load(DType.F64);
                Scope _ = Scope.open()) {
            Parameter weight = model.sites().values().stream()
                    .filter(Linear.class::isInstance)
                    .findFirst()
                    .orElseThrow()
                    .weight();
            Tensor leaf = weight.frozen().clone().set_requires_grad(true);
            squares(fixture, model, weight, leaf).backward();
            try (Grad _ = Grad.disabled()) {
                Tensor gradient = leaf.grad();
                double norm = gradient.norm().item_double();
                double step = 1e-3; // norms in float32 make less drown in rounding
                Tensor move = gradient.mul(new Scalar(step / norm));
                double rise = squares(fixture, model, weight, weight.frozen().add(move))
                                .item_double()
                        - squares(fixture, model, weight, weight.frozen().sub(move))
                                .item_double();
                assertThat(norm).isNotZero().isCloseTo(rise / (2 * step), withinPercentage(1));
            }
        }
    }

    private Tensor squares(Fixture fixture, BaseModel model, Parameter weight, Tensor value) {
        weight.override(value);
        Tensor sum = all(model, fixture).square().mean();
        weight.restore();
        return sum;
    }

    @ParameterizedTest
    @MethodSource("fixtures")
    void load_damagedCheckpoint_namesEveryFaultAtOnce(String name) {
        Fixture fixture = Fixture.named(name);
        TensorSource source = fixture.source();
        String first = source.names().getFirst();
        String last = source.names().getLast();
        TensorSource damaged = new RenamedTensors(
                source, tensor -> tensor.equals(first) || tensor.equals(last) ? tensor + ".astray" : tensor);
        assertThatThrownBy(() -> ModelLoader.load(damaged, fixture.config(), DType.F32))
                .isInstanceOf(LoricaException.BadInput.class)
                .hasMessageContaining(first + " is missing")
                .hasMessageContaining(last + " is missing")
                .hasMessageContaining(first + ".astray is in the checkpoint");
    }

    /** The answer to one input of a fixture, flattened. */
    protected final float[] alone(Fixture fixture, BaseModel model, int input) {
        try (Grad _ = Grad.disabled();
                Scope _ = Scope.open()) {
            return Tensors.floats(one(model, fixture, input));
        }
    }
}
