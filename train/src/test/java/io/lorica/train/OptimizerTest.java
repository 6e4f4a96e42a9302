package io.lorica.train;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.lorica.adapter.Trainable;
import io.lorica.tensor.Scope;
import io.lorica.tensor.Tensors;
import java.io.IOException;
import java.io.InputStream;
import java.util.Locale;
import java.util.Objects;
import org.bytedeco.pytorch.Tensor;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Against the numbers that {@code bench/peers/make_optimizer_fixture.py} took from torch and transformers. */
class OptimizerTest {

    private static JsonNode fixture() throws IOException {
        try (InputStream in =
                Objects.requireNonNull(OptimizerTest.class.getResourceAsStream("/fixtures/optimizer.json"))) {
            return new ObjectMapper().readTree(in);
        }
    }

    private static float[] floats(JsonNode array) {
        float[] values = new float[array.size()];
        for (int i = 0; i < values.length; i++) {
            values[i] = array.get(i).floatValue();
        }
        return values;
    }

    @ParameterizedTest
    @ValueSource(ints = {0, 1})
    void step_twelveTimes_equalsTorch(int index) throws IOException {
        JsonNode expected = fixture().get("adamw").get(index);
        try (Scope _ = Scope.open();
                AdamW optimizer = new AdamW(0.9, 0.99, 1e-7)) {
            Tensor parameter = Tensors.of(floats(expected.get("start")), 6).requires_grad_(true);
            optimizer.add(
                    new Trainable("p", parameter, Trainable.Role.A),
                    1,
                    expected.get("decay").doubleValue());
            for (int step = 0; step < 12; step++) {
                optimizer.clearGradients();
                parameter
                        .mutable_grad()
                        .put(Tensors.of(floats(expected.get("gradients").get(step)), 6));
                optimizer.step(0.05, _ -> 1);
                float[] values = floats(expected.get("values").get(step));
                assertThat(TinyRun.difference(Tensors.floats(parameter), values))
                        .as("step %d", step)
                        .isLessThan(1e-6);
            }
        }
    }

    @Test
    void step_tensorWithoutGradient_staysWhereItIs() {
        try (Scope _ = Scope.open();
                AdamW optimizer = new AdamW(0.9, 0.999, 1e-8)) {
            Tensor parameter = Tensors.of(new float[] {1, 2}, 2).requires_grad_(true);
            optimizer.add(new Trainable("p", parameter, Trainable.Role.A), 1, 0.1);
            parameter.mutable_grad().put(Tensors.of(new float[] {1, -1}, 2));
            optimizer.step(0.1, _ -> 1);
            float[] moved = Tensors.floats(parameter);
            optimizer.clearGradients();
            optimizer.step(0.1, _ -> 1);
            assertThat(moved).isNotEqualTo(new float[] {1, 2});
            assertThat(Tensors.floats(parameter)).isEqualTo(moved);
        }
    }

    @Test
    void gradientNorm_twoTensors_isTheNormOfAllNumbers() {
        try (Scope _ = Scope.open();
                AdamW optimizer = new AdamW(0.9, 0.999, 1e-8)) {
            for (float value : new float[] {3, 4}) {
                Tensor parameter = Tensors.of(new float[] {0}, 1).requires_grad_(true);
                parameter.mutable_grad().put(Tensors.of(new float[] {value}, 1));
                optimizer.add(new Trainable("p" + value, parameter, Trainable.Role.A), 1, 0);
            }
            assertThat(optimizer.gradientNorm()).isCloseTo(5, within(1e-6));
            optimizer.scaleGradients(0.5);
            assertThat(optimizer.gradientNorm()).isCloseTo(2.5, within(1e-6));
        }
    }

    @Test
    void factor_everyStep_equalsTransformers() throws IOException {
        for (JsonNode expected : fixture().get("schedules")) {
            Schedule schedule =
                    Schedule.valueOf(expected.get("name").textValue().toUpperCase(Locale.ROOT));
            int warmUp = expected.get("warm_up").intValue();
            int total = expected.get("total").intValue();
            for (int step = 0; step < total; step++) {
                assertThat(schedule.factor(step, warmUp, total))
                        .as("%s, warm-up %d, step %d", schedule, warmUp, step)
                        .isCloseTo(expected.get("factors").get(step).doubleValue(), within(1e-12));
            }
        }
    }
}
