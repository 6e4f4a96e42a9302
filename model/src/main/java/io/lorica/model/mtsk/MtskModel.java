package io.lorica.model.mtsk;

import io.lorica.model.AudioEncoder;
import io.lorica.model.BaseModel;
import io.lorica.model.Batch;
import io.lorica.model.Block;
import io.lorica.model.CausalModel;
import io.lorica.model.KvCache;
import io.lorica.model.Linear;
import io.lorica.model.LoadedModel;
import io.lorica.model.ModelConfig;
import io.lorica.model.ModelLoader;
import io.lorica.model.Pass;
import io.lorica.model.Rates;
import io.lorica.model.Speech;
import io.lorica.model.SpeechModel;
import io.lorica.model.VideoEncoder;
import io.lorica.model.Weights;
import io.lorica.tensor.LoricaException;
import io.lorica.tensor.Scope;
import io.lorica.tensor.Tensors;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.stream.IntStream;
import java.util.stream.LongStream;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorVector;
import org.bytedeco.pytorch.global.torch;
import org.jspecify.annotations.Nullable;

/**
 * Llama-MTSK (Cappellazzo et al., Adaptive Audio-Visual Speech Recognition via Matryoshka-Based Multimodal LLMs, 2025): the
 * states of an audio and of a video encoder are compressed at one of several rates, mapped to word embeddings by that rate's
 * projector, and read before the text.
 *
 * <p>Encoders and language model are whatever families read {@code audio_config}, {@code video_config} and
 * {@code text_config}; the tensors of each have the prefix {@code audio_encoder.}, {@code video_encoder.} and {@code llm.}.
 * The official video encoder is AV-HuBERT; here a small one stands in. Sequences of different lengths are packed, so no
 * state of a padding is read; the official code reads them.
 */
final class MtskModel extends LoadedModel implements SpeechModel {
    private final MtskConfig config;
    private final @Nullable AudioEncoder ears;
    private final @Nullable VideoEncoder eyes;
    private final CausalModel language;
    private final Stream audio;
    private final Stream video;

    MtskModel(ModelConfig source, Weights weights) {
        super(source, weights);
        config = MtskConfig.from(source);
        ears = part(source, "audio", AudioEncoder.class, weights);
        eyes = part(source, "video", VideoEncoder.class, weights);
        ModelConfig words = source.object("text_config")
                .orElseThrow(() -> new LoricaException.BadInput(
                        source.where() + ": key 'text_config' is missing; give the language model's configuration"));
        if (!(ModelLoader.part(words, weights.part(name -> "llm." + name)) instanceof CausalModel decoder)) {
            throw new LoricaException.Unsupported(words.where() + ": model_type '" + words.modelType()
                    + "' is no decoder; use llama, mistral or qwen2");
        }
        language = decoder;
        int hidden = words.integer("hidden_size");
        audio = Stream.of(weights, "audio_proj", config, config.audioRates(), ears == null ? 0 : ears.width(), hidden);
        video = Stream.of(weights, "video_proj", config, config.videoRates(), eyes == null ? 0 : eyes.width(), hidden);
        config.requireWithin(language.vocabularySize(), source.where());
        weights.finish(source.where());
    }

    private static <T extends BaseModel> @Nullable T part(
            ModelConfig source, String stream, Class<T> kind, Weights weights) {
        ModelConfig own = source.object(stream + "_config").orElse(null);
        if (own == null) {
            return null;
        }
        BaseModel model = ModelLoader.part(own, weights.part(name -> stream + "_encoder." + name));
        if (!kind.isInstance(model)) {
            throw new LoricaException.Unsupported(own.where() + ": model_type '" + own.modelType() + "' is no " + stream
                    + " encoder; use " + (stream.equals("audio") ? "whisper" : "small_video"));
        }
        return kind.cast(model);
    }

    @Override
    public Tensor embed(Batch batch, Pass pass) {
        Speech speech = batch.speech();
        if (speech == null || (speech.audio().isEmpty() && speech.video().isEmpty())) {
            return language.embed(batch, pass);
        }
        try (Scope scope = Scope.open()) {
            Tensor tokens = torch.cat(
                    new TensorVector(tokens(speech, inBlocks(batch, pass)).toArray(Tensor[]::new)), 0);
            Tensor places = Tensors.of(places(batch, tokens.size(0)));
            Tensor words = language.embed(batch, pass);
            return scope.keep(words.index_copy(0, places, tokens));
        }
    }

    @Override
    public Pass inBlocks(Batch batch, Pass pass) {
        Speech speech = batch.speech();
        return speech == null ? pass : pass.at(speech.rates());
    }

    /** The compressed streams, for each sequence its sound and then its pictures. */
    private List<Tensor> tokens(Speech speech, Pass pass) {
        Rates rates = known(speech.rates());
        List<Tensor> tokens = new ArrayList<>();
        for (int i = 0; i < Math.max(speech.audio().size(), speech.video().size()); i++) {
            if (rates.audio() > 0) {
                tokens.add(audio.tokens(speech.audio().get(i), rates.audio(), pass));
            }
            if (rates.video() > 0) {
                tokens.add(video.tokens(speech.video().get(i), rates.video(), pass));
            }
        }
        return tokens;
    }

    private long[] places(Batch batch, long tokens) {
        long[] ids = Tensors.longs(batch.tokens());
        long[] places = IntStream.range(0, ids.length)
                .filter(i -> ids[i] == config.placeholder())
                .asLongStream()
                .toArray();
        if (places.length != tokens) {
            throw new LoricaException.BadInput("the batch has " + places.length + " places for " + tokens
                    + " tokens of recordings; make its prompts for the same rates");
        }
        return places;
    }

    private Rates known(Rates rates) {
        if (!scales().contains(rates)) {
            throw new LoricaException.BadInput("the model has no projectors for the rates audio " + rates.audio()
                    + ", video " + rates.video() + "; choose audio from " + config.audioRates() + " and video from "
                    + config.videoRates());
        }
        return rates;
    }

    @Override
    public long placeholder() {
        return config.placeholder();
    }

    @Override
    public long[] prompt(long[] text, int audioFrames, int videoFrames, Rates rates) {
        known(rates);
        return LongStream.concat(
                        LongStream.concat(
                                LongStream.of(text).limit(1),
                                stream(audioFrames, rates.audio(), config.audioStart(), config.audioEnd())),
                        LongStream.concat(
                                stream(videoFrames, rates.video(), config.videoStart(), config.videoEnd()),
                                Arrays.stream(text).skip(1)))
                .toArray();
    }

    private LongStream stream(int frames, int rate, long start, long end) {
        if (rate == 0) {
            return LongStream.empty();
        }
        if (frames < rate) {
            throw new LoricaException.BadInput("a recording of " + frames + " frames has not one token at rate " + rate
                    + "; choose a lower rate, or a longer recording");
        }
        LongStream places = LongStream.generate(config::placeholder).limit(frames / rate);
        return LongStream.concat(LongStream.concat(LongStream.of(start), places), LongStream.of(end));
    }

    @Override
    public Optional<AudioEncoder> ears() {
        return Optional.ofNullable(ears);
    }

    @Override
    public Optional<VideoEncoder> eyes() {
        return Optional.ofNullable(eyes);
    }

    @Override
    public List<Rates> scales() {
        return Rates.pairs(config.audioRates(), config.videoRates());
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
