package io.lorica.train.analyze;

import io.lorica.tensor.DType;
import io.lorica.tensor.Seed;
import io.lorica.tensor.Tensors;
import io.lorica.train.analyze.GradientConfig.Operand;
import java.util.EnumMap;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Objects;
import java.util.SequencedMap;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;

/**
 * A head of Gaussian weights with LoRA on them, on Gaussian inputs, and a Gaussian target of its output. Its tensors are
 * of the scope in which it was made.
 *
 * @param projections what makes queries, keys and values
 * @param target {@code Y: [L, d_v]} of the loss {@code 1/2 ||O - Y||_F^2}
 */
record RandomHead(Map<Operand, AdaptedProjection> projections, AttentionHead head, Tensor target) {
    private static final int INPUT = 16;
    private static final int RANK = 2;

    /** @param gamma largest entry of queries, of keys and of values */
    static RandomHead of(GradientConfig config, int length, double gamma) {
        Seed seed = config.seed().of(length);
        Tensor x = gaussian(seed.of("x"), length, INPUT);
        Map<Operand, AdaptedProjection> projections = new EnumMap<>(Operand.class);
        Map<Operand, Tensor> values = new EnumMap<>(Operand.class);
        for (Operand operand : Operand.values()) {
            AdaptedProjection projection = projection(seed.of(operand.name()), x, config.width(), gamma);
            projections.put(operand, projection);
            values.put(operand, projection.value());
        }
        AttentionHead head = new AttentionHead(
                Objects.requireNonNull(values.get(Operand.Q)),
                Objects.requireNonNull(values.get(Operand.K)),
                Objects.requireNonNull(values.get(Operand.V)),
                config.beta());
        return new RandomHead(projections, head, gaussian(seed.of("target"), length, config.width()));
    }

    private static AdaptedProjection projection(Seed seed, Tensor x, int width, double gamma) {
        Tensor weight = gaussian(seed.of("weight"), width, INPUT);
        Tensor a = gaussian(seed.of("a"), RANK, INPUT);
        Tensor b = gaussian(seed.of("b"), width, RANK).mul(new Scalar(0.1));
        Tensor value = new AdaptedProjection(x, weight, a, b, 1).value();
        Scalar factor = new Scalar(gamma / value.abs().max().item_double());
        return new AdaptedProjection(x, weight.mul(factor), a, b.mul(factor), 1); // the value is linear in W and B
    }

    private static Tensor gaussian(Seed seed, long... shape) {
        return Tensors.to(torch.randn(shape, seed.generator()), DType.F64);
    }

    Upstream upstream() {
        return Upstream.towards(target);
    }

    /** {@code b = beta max_i ||Q_i|| max_j ||K_j||}. */
    double scoreBound() {
        return head.beta() * longestRow(head.q()) * longestRow(head.k());
    }

    private static double longestRow(Tensor x) {
        return Math.sqrt(ExactGradient.rowSums(x.square()).max().item_double());
    }

    /** {@code Gamma / sqrt(ln L)}, with the normalization of {@link HeadNorms#gamma()}. */
    static double ratio(GradientConfig config, int length, double gamma) {
        return gamma * Math.max(1, Math.sqrt(config.beta() * config.width())) / Math.sqrt(Math.log(length));
    }

    /** The output and the gradients of the adapted operands' factors, by name. */
    SequencedMap<String, Tensor> named(HeadGradients gradients, GradientConfig config) {
        SequencedMap<String, Tensor> named = new LinkedHashMap<>();
        named.put("O", gradients.output());
        for (Operand operand : Operand.values()) {
            if (config.adapted().contains(operand)) {
                Tensor at = switch (operand) {
                    case Q -> gradients.dQ();
                    case K -> gradients.dK();
                    case V -> gradients.dV();
                };
                AdaptedProjection.Gradient factors =
                        Objects.requireNonNull(projections.get(operand)).gradient(at);
                named.put("d" + operand, at);
                named.put("dA_" + operand, factors.dA());
                named.put("dB_" + operand, factors.dB());
            }
        }
        return named;
    }
}
