package io.lorica.model.mtsk;

import io.lorica.model.LayerNorm;
import io.lorica.model.Linear;
import io.lorica.model.Pass;
import io.lorica.model.Weights;
import io.lorica.tensor.DType;
import io.lorica.tensor.Scope;
import io.lorica.tensor.Tensors;
import java.util.List;
import java.util.stream.IntStream;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.jspecify.annotations.Nullable;

/**
 * One modality: its rates of compression and, for each, the map of compressed states to word embeddings,
 * {@code norm(W2 relu(W1 x + b1) + b2)}. The maps are sites.
 */
record Stream(Compression compression, List<Integer> rates, List<Projector> projectors) {

    private record Projector(
            Linear first, Linear second, @Nullable LayerNorm norm) {}

    /** @param name of the projectors: {@code audio_proj} or {@code video_proj} */
    static Stream of(Weights weights, String name, MtskConfig config, List<Integer> rates, int width, int out) {
        List<Projector> projectors = IntStream.range(0, rates.size())
                .mapToObj(i -> {
                    String at = name + "." + i + ".";
                    int in = config.compression().width(width, rates.get(i));
                    return new Projector(
                            weights.linear(at + 0, config.projectorSize(), in, true),
                            weights.linear(at + 2, out, config.projectorSize(), true),
                            config.projectorNorm() ? LayerNorm.of(weights, at + 3, out, 1e-5) : null);
                })
                .toList();
        return new Stream(config.compression(), rates, projectors);
    }

    /** {@code [frames, width]} to {@code [floor(frames / rate), hidden]}, owned by the caller's innermost scope. */
    Tensor tokens(Tensor states, int rate, Pass pass) {
        Projector projector = projectors.get(rates.indexOf(rate));
        try (Scope scope = Scope.open()) {
            DType type = projector.first().weight().dtype();
            Tensor compressed = Tensors.to(compression.apply(states, rate), type);
            Tensor mapped =
                    projector.second().forward(torch.relu(projector.first().forward(compressed, pass)), pass);
            return scope.keep(
                    projector.norm() == null ? mapped : projector.norm().forward(mapped));
        }
    }
}
