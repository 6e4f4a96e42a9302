package io.lorica.model.llava;

import io.lorica.model.Batch;
import io.lorica.model.Block;
import io.lorica.model.CausalModel;
import io.lorica.model.FeedForward;
import io.lorica.model.ImageTokens;
import io.lorica.model.KvCache;
import io.lorica.model.Linear;
import io.lorica.model.LoadedModel;
import io.lorica.model.ModelConfig;
import io.lorica.model.ModelLoader;
import io.lorica.model.Pass;
import io.lorica.model.VisionEncoder;
import io.lorica.model.VisionLanguageModel;
import io.lorica.model.VisualRows;
import io.lorica.model.Weights;
import io.lorica.tensor.LoricaException;
import io.lorica.tensor.Scope;
import io.lorica.tensor.Tensors;
import java.util.Collections;
import java.util.List;
import java.util.SequencedMap;
import java.util.stream.IntStream;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorVector;
import org.bytedeco.pytorch.global.torch;
import org.jspecify.annotations.Nullable;

/**
 * LLaVA (Liu et al., Visual Instruction Tuning, 2023; Improved Baselines with Visual Instruction Tuning, 2023): the
 * patches of an image, as a {@link VisionEncoder} sees them in chosen layers, are mapped to word embeddings and stand in
 * the prompt where its image tokens are. From there on they are tokens like others: causal, with positions of their own.
 *
 * <p>Vision encoder and language model are whatever families read {@code vision_config} and {@code text_config}.
 * A batch without images embeds image tokens by their row of the table, as transformers does.
 */
final class LlavaModel extends LoadedModel implements VisionLanguageModel {
    private final LlavaConfig config;
    private final VisionEncoder vision;
    private final List<Integer> states;
    private final Projector projector;
    private final CausalModel language;
    private @Nullable ImageTokens further;

    LlavaModel(ModelConfig source, Weights weights) {
        super(source, weights);
        config = LlavaConfig.from(source);
        ModelConfig eyes = LlavaConfig.vision(source);
        if (!(ModelLoader.part(eyes, weights.part(LlavaNames::vision)) instanceof VisionEncoder encoder)) {
            throw new LoricaException.Unsupported(eyes.where() + ": model_type '" + eyes.modelType()
                    + "' is no vision encoder; use clip_vision_model");
        }
        vision = encoder;
        states = config.states(vision.layers(), source.where());
        ModelConfig words = LlavaConfig.text(source);
        if (!(ModelLoader.part(words, weights.part(LlavaNames::text)) instanceof CausalModel decoder)) {
            throw new LoricaException.Unsupported(words.where() + ": model_type '" + words.modelType()
                    + "' is no decoder; use llama, mistral or qwen2");
        }
        language = decoder;
        projector = Projector.of(weights, config, featureWidth(), words.integer("hidden_size"));
        if (config.imageToken() >= language.vocabularySize()) {
            throw new LoricaException.BadInput(source.where() + ": image_token_index " + config.imageToken()
                    + " lies outside the vocabulary of " + language.vocabularySize() + "; grow the vocabulary");
        }
        weights.finish(source.where());
    }

    @Override
    public Tensor embed(Batch batch, Pass pass) {
        Tensor pixels = batch.images();
        if (pixels == null) {
            return language.embed(batch, pass);
        }
        try (Scope scope = Scope.open()) {
            Tensor places = Tensors.of(places(batch, pixels.size(0)));
            Tensor words = language.embed(batch, pass);
            return scope.keep(words.index_copy(0, places, imageEmbeddings(pixels, pass)));
        }
    }

    @Override
    public Pass inBlocks(Batch batch, Pass pass) {
        Tensor pixels = batch.images();
        return pixels == null ? pass : pass.seeing(new VisualRows(places(batch, pixels.size(0)), batch.totalTokens()));
    }

    /** {@code [images, channels, size, size]} to {@code [images * tokensPerImage, hidden]}. */
    private Tensor imageEmbeddings(Tensor pixels, Pass pass) {
        try (Scope scope = Scope.open()) {
            int last = Math.max(Collections.max(states), further == null ? 0 : further.last());
            List<Tensor> all = vision.hiddenStates(pixels, last, pass);
            int first = config.classToken() ? 0 : 1;
            Tensor[] chosen = states.stream()
                    .map(state -> all.get(state).narrow(1, first, patches()))
                    .toArray(Tensor[]::new);
            Tensor seen = torch.cat(new TensorVector(chosen), 2);
            Tensor features = further == null ? seen : torch.cat(new TensorVector(seen, further.read(all, pass)), 1);
            return scope.keep(projector.forward(features.flatten(0, 1), pass));
        }
    }

    /** Rows of the image tokens. */
    private long[] places(Batch batch, long images) {
        long[] ids = Tensors.longs(batch.tokens());
        long[] places = IntStream.range(0, ids.length)
                .filter(i -> ids[i] == imageToken())
                .asLongStream()
                .toArray();
        if (places.length != images * tokensPerImage()) {
            throw new LoricaException.BadInput("the batch has " + places.length + " image tokens for " + images
                    + " images of " + tokensPerImage() + " each; repeat the placeholder for every patch");
        }
        return places;
    }

    @Override
    public long imageToken() {
        return config.imageToken();
    }

    @Override
    public int tokensPerImage() {
        return patches() + (further == null ? 0 : further.count());
    }

    /** Tokens of an image without those that an adapter adds. */
    private int patches() {
        return vision.tokens() - (config.classToken() ? 0 : 1);
    }

    @Override
    public VisionEncoder vision() {
        return vision;
    }

    @Override
    public int featureWidth() {
        return vision.width() * states.size();
    }

    @Override
    public void attach(ImageTokens tokens) {
        further = tokens;
    }

    @Override
    public void detachImageTokens() {
        further = null;
    }

    @Override
    public int imageSize() {
        return vision.imageSize();
    }

    @Override
    public int channels() {
        return vision.channels();
    }

    @Override
    public SequencedMap<String, FeedForward> feedForwards() {
        return language.feedForwards();
    }

    @Override
    public List<? extends Block> blocks() {
        return language.blocks();
    }

    @Override
    public Tensor finish(Tensor hidden) {
        return language.finish(hidden);
    }

    @Override
    public Linear head() {
        return language.head();
    }

    @Override
    public int vocabularySize() {
        return language.vocabularySize();
    }

    @Override
    public int contextLength() {
        return language.contextLength();
    }

    @Override
    public KvCache newCache(int sequences) {
        return language.newCache(sequences);
    }

    @Override
    public int keyWidth() {
        return language.keyWidth();
    }

    @Override
    public String outputHead() {
        return language.outputHead();
    }
}
