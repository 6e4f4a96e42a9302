package io.lorica.model;

import io.lorica.tensor.DType;
import io.lorica.tensor.Scope;
import io.lorica.tensor.Tensors;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.OptionalInt;
import java.util.SequencedMap;
import org.bytedeco.pytorch.Tensor;

/**
 * A decoder with a head {@code score} on the last token of each sequence, which has seen all of it: transformers'
 * {@code LlamaForSequenceClassification} and its like.
 *
 * @param decoder its {@link CausalModel#head()} is the score head and not a vocabulary's
 */
public record CausalClassifier(CausalModel decoder, int labels) implements ClassifierModel {

    /** Name of the head, in every family. */
    public static final String HEAD = "score";

    /** The decoder by itself, or as a classifier where it was configured as one. */
    public static BaseModel where(OptionalInt labels, CausalModel decoder) {
        return labels.isPresent() ? new CausalClassifier(decoder, labels.getAsInt()) : decoder;
    }

    /** What {@link ModelFamily#classificationHead} gives for a decoder. */
    public static SequencedMap<String, long[]> freshHead(int labels, long hidden) {
        return new LinkedHashMap<>(Map.of(HEAD + ".weight", new long[] {labels, hidden}));
    }

    @Override
    public Tensor classify(Tensor hidden, Batch batch, Pass pass) {
        try (Scope scope = Scope.open()) {
            Tensor last = hidden.index_select(0, Tensors.of(batch.lastTokens()));
            return scope.keep(decoder.head().forward(last, pass));
        }
    }

    @Override
    public Tensor embed(Batch batch, Pass pass) {
        return decoder.embed(batch, pass);
    }

    @Override
    public Pass inBlocks(Batch batch, Pass pass) {
        return decoder.inBlocks(batch, pass);
    }

    @Override
    public List<? extends Block> blocks() {
        return decoder.blocks();
    }

    @Override
    public Tensor finish(Tensor hidden) {
        return decoder.finish(hidden);
    }

    @Override
    public int contextLength() {
        return decoder.contextLength();
    }

    @Override
    public ModelConfig config() {
        return decoder.config();
    }

    @Override
    public DType dtype() {
        return decoder.dtype();
    }

    @Override
    public SequencedMap<String, FeedForward> feedForwards() {
        return decoder.feedForwards();
    }

    @Override
    public SequencedMap<String, Site> sites() {
        return decoder.sites();
    }

    @Override
    public SequencedMap<String, Parameter> parameters() {
        return decoder.parameters();
    }

    @Override
    public SequencedMap<String, String> ignored() {
        return decoder.ignored();
    }

    @Override
    public String outputHead() {
        return HEAD;
    }

    @Override
    public void close() {
        decoder.close();
    }
}
