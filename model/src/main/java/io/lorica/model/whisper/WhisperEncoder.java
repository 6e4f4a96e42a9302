package io.lorica.model.whisper;

import io.lorica.model.AudioEncoder;
import io.lorica.model.Batch;
import io.lorica.model.BidirectionalAttention;
import io.lorica.model.Embedding;
import io.lorica.model.LayerNorm;
import io.lorica.model.LoadedModel;
import io.lorica.model.ModelConfig;
import io.lorica.model.Parameter;
import io.lorica.model.Pass;
import io.lorica.model.PreNormBlock;
import io.lorica.model.Weights;
import io.lorica.tensor.DType;
import io.lorica.tensor.LoricaException;
import io.lorica.tensor.Scope;
import io.lorica.tensor.Tensors;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorOptional;
import org.bytedeco.pytorch.global.torch;

/**
 * The encoder of Whisper (Radford et al., Robust Speech Recognition via Large-Scale Weak Supervision, 2022):
 *
 * <pre>
 * h = gelu(conv2(gelu(conv1(features)))) + positions     kernels of 3 frames; conv2 takes every second
 * states = norm(layers(h))                               see {@link PreNormBlock}; keys have no bias
 * </pre>
 *
 * <p>transformers takes exactly 30 seconds of features; shorter ones take the first positions here. Silence that pads a
 * sound to 30 seconds is attended to, so states of the padded and of the bare sound differ. Convolutions are no sites.
 */
final class WhisperEncoder extends LoadedModel implements AudioEncoder {
    private static final String AT = "model.encoder.";
    private static final double EPS = 1e-5;

    private final WhisperConfig config;
    private final Convolution first;
    private final Convolution second;
    private final Embedding positions;
    private final List<PreNormBlock> blocks;
    private final LayerNorm norm;

    /** Builds the encoder; the caller finishes {@code weights}. */
    WhisperEncoder(ModelConfig source, Weights weights) {
        super(source, weights);
        config = WhisperConfig.from(source);
        int width = config.width();
        first = Convolution.of(weights, AT + "conv1", width, config.melBins(), 1);
        second = Convolution.of(weights, AT + "conv2", width, width, 2);
        positions = weights.embedding(AT + "embed_positions", config.positions(), width);
        blocks = IntStream.range(0, config.layers())
                .mapToObj(layer -> block(AT + "layers." + layer, weights))
                .toList();
        norm = LayerNorm.of(weights, AT + "layer_norm", width, EPS);
    }

    private PreNormBlock block(String name, Weights weights) {
        int width = config.width();
        String self = name + ".self_attn";
        return new PreNormBlock(
                name,
                LayerNorm.of(weights, self + "_layer_norm", width, EPS),
                weights.linear(self + ".q_proj", width, width, true),
                weights.linear(self + ".k_proj", width, width, false),
                weights.linear(self + ".v_proj", width, width, true),
                weights.linear(self + ".out_proj", width, width, true),
                new BidirectionalAttention(self, config.heads(), width / config.heads(), 0)::forward,
                LayerNorm.of(weights, name + ".final_layer_norm", width, EPS),
                weights.linear(name + ".fc1", config.inner(), width, true),
                weights.linear(name + ".fc2", width, config.inner(), true),
                config.activation(),
                config.dropout());
    }

    /** One convolution over time, padded by a frame of zeros at both ends. */
    private record Convolution(Parameter kernel, Parameter bias, int stride) {
        static Convolution of(Weights weights, String name, int out, int in, int stride) {
            return new Convolution(
                    weights.parameter(name + ".weight", out, in, 3), weights.parameter(name + ".bias", out), stride);
        }

        /** {@code [n, in, frames]} to {@code [n, out, ceil(frames / stride)]}. */
        Tensor forward(Tensor x) {
            return torch.conv1d(
                    x,
                    kernel.value(),
                    new TensorOptional(bias.value()),
                    new long[] {stride},
                    new long[] {1},
                    new long[] {1},
                    1);
        }
    }

    @Override
    public Tensor states(Tensor features, Pass pass) {
        requireFit(Tensors.shape(features));
        try (Scope scope = Scope.open()) {
            Tensor heard = torch.gelu(
                    first.forward(Tensors.to(features, DType.of(first.kernel().value()))));
            Tensor frames = torch.gelu(second.forward(heard)).transpose(1, 2);
            Batch batch = Batch.numbered(Math.toIntExact(frames.size(0)), Math.toIntExact(frames.size(1)));
            Tensor hidden = frames.flatten(0, 1).add(positions.forward(batch.positions(), pass));
            for (PreNormBlock block : blocks) {
                hidden = block.forward(hidden, batch, pass);
            }
            return scope.keep(norm.forward(hidden).view(frames.size(0), frames.size(1), config.width()));
        }
    }

    private void requireFit(long[] shape) {
        if (shape.length != 3 || shape[1] != config.melBins() || shape[2] < 1 || shape[2] > 2L * config.positions()) {
            throw new LoricaException.BadInput("features have shape " + Arrays.toString(shape)
                    + ", but the encoder takes [clips, " + config.melBins() + ", 1 to " + 2 * config.positions()
                    + " frames]; cut the sound, or use features of as many bins");
        }
    }

    @Override
    public int melBins() {
        return config.melBins();
    }

    @Override
    public int width() {
        return config.width();
    }

    @Override
    public int maxStates() {
        return config.positions();
    }

    @Override
    public String outputHead() {
        return "";
    }
}
