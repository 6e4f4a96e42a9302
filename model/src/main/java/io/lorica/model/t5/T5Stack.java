package io.lorica.model.t5;

import io.lorica.model.Batch;
import io.lorica.model.Embedding;
import io.lorica.model.Pass;
import io.lorica.model.RmsNorm;
import io.lorica.model.Weights;
import io.lorica.tensor.Scope;
import java.util.List;
import java.util.stream.IntStream;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/** The encoder or the decoder: embedding, layers, norm, with dropout before and after. */
final class T5Stack {
    private final String name;
    private final T5Config config;
    private final Embedding words;
    private final List<T5Block> blocks;
    private final RelativePositions positions;
    private final RmsNorm norm;

    /** @param name {@code encoder} or {@code decoder} */
    T5Stack(String name, boolean decoder, T5Config config, Embedding words, Weights weights) {
        this.name = name;
        this.config = config;
        this.words = words;
        int layers = decoder ? config.decoderLayers() : config.encoderLayers();
        blocks = IntStream.range(0, layers)
                .mapToObj(layer -> new T5Block(name, layer, decoder, config, weights))
                .toList();
        Embedding table = weights.embedding(
                name + ".block.0.layer.0.SelfAttention.relative_attention_bias", config.buckets(), config.heads());
        positions = new RelativePositions(table, decoder, config.maxDistance());
        norm = RmsNorm.of(weights, name + ".final_layer_norm", config.hidden(), config.eps());
    }

    /** @param encoded null in the encoder, as is {@code source} */
    Tensor forward(Batch batch, @Nullable Tensor encoded, @Nullable Batch source, Pass pass) {
        try (Scope scope = Scope.open()) {
            List<Tensor> bias = positions.bias(batch, pass);
            Tensor hidden = drop(words.forward(batch.tokens(), pass), "embedding", pass);
            for (T5Block block : blocks) {
                hidden = encoded == null || source == null
                        ? block.forward(hidden, batch, bias, pass)
                        : block.forward(hidden, batch, bias, encoded, source, pass);
            }
            return scope.keep(drop(norm.forward(hidden), "final", pass));
        }
    }

    private Tensor drop(Tensor x, String stream, Pass pass) {
        return pass.dropout(x, config.dropout(), name + "." + stream);
    }
}
