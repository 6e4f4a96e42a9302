package io.lorica.model;

import io.lorica.tensor.LoricaException;
import io.lorica.tensor.Tensors;
import java.util.Arrays;
import java.util.List;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/**
 * Sequences laid one after another with no padding: {@code T} tokens in all. Attention never crosses a sequence's
 * border, so packing changes no result.
 *
 * @param tokens {@code [T]} int64 ids
 * @param positions {@code [T]} int64, each token's place in its own sequence
 * @param lengths tokens of each sequence in this batch; they sum to {@code T}
 * @param segments {@code [T]} int64, which of the texts of a pair a token is of (BERT's token types); null when all are
 *     of the first
 * @param cache keys and values of earlier tokens, one entry per sequence, or null when every sequence is whole
 * @param observer sees what attention computes with, or null when nobody looks
 * @param images {@code [images, channels, size, size]}, the pictures that the image tokens stand for, in their order; null
 *     in a batch of texts alone
 * @param speech recordings that stand before the sequences; null in a batch without any
 */
public record Batch(
        Tensor tokens,
        Tensor positions,
        int[] lengths,
        @Nullable Tensor segments,
        @Nullable KvCache cache,
        @Nullable AttentionObserver observer,
        @Nullable Tensor images,
        @Nullable Speech speech) {

    /** A batch of single texts. */
    public Batch(Tensor tokens, Tensor positions, int[] lengths, @Nullable KvCache cache) {
        this(tokens, positions, lengths, null, cache, null, null, null);
    }

    /** Whole sequences, each starting at position 0. The tensors belong to the caller's innermost scope. */
    public static Batch of(List<long[]> sequences) {
        return of(sequences, null);
    }

    /** Continues the sequences in {@code cache}: sequence {@code i} starts where its cached tokens end. */
    public static Batch of(List<long[]> sequences, @Nullable KvCache cache) {
        int total = sequences.stream().mapToInt(s -> s.length).sum();
        if (total == 0) {
            throw new LoricaException.BadInput("a batch needs at least one token");
        }
        long[] tokens = new long[total];
        long[] positions = new long[total];
        int[] lengths = new int[sequences.size()];
        int at = 0;
        for (int i = 0; i < lengths.length; i++) {
            long[] sequence = sequences.get(i);
            int start = cache == null ? 0 : cache.length(i);
            lengths[i] = sequence.length;
            for (int j = 0; j < sequence.length; j++) {
                tokens[at] = sequence[j];
                positions[at++] = (long) start + j;
            }
        }
        return new Batch(Tensors.of(tokens), Tensors.of(positions), lengths, cache);
    }

    /** Sequences of the same length whose tokens are known by their places alone, such as the patches of images. */
    public static Batch numbered(int sequences, int length) {
        int[] lengths = new int[sequences];
        Arrays.fill(lengths, length);
        long[] places = new long[Math.multiplyExact(sequences, length)];
        Arrays.setAll(places, i -> i % length);
        Tensor positions = Tensors.of(places);
        return new Batch(positions, positions, lengths, null);
    }

    /**
     * The same batch with the token types of text pairs.
     *
     * @param types one number per token, sequence by sequence
     */
    public Batch withSegments(List<long[]> types) {
        long[] joined = types.stream().flatMapToLong(Arrays::stream).toArray();
        if (joined.length != totalTokens()) {
            throw new LoricaException.BadInput(
                    joined.length + " token types for " + totalTokens() + " tokens; give one per token");
        }
        return new Batch(tokens, positions, lengths, Tensors.of(joined), cache, observer, images, speech);
    }

    /** The same batch, whose attention {@code eye} sees: causal and bidirectional self-attention, not T5's. */
    public Batch observedBy(AttentionObserver eye) {
        return new Batch(tokens, positions, lengths, segments, cache, eye, images, speech);
    }

    /** The same batch, whose image tokens stand for {@code pictures}; only a {@link VisionLanguageModel} sees them. */
    public Batch withImages(@Nullable Tensor pictures) {
        return new Batch(tokens, positions, lengths, segments, cache, observer, pictures, speech);
    }

    /** The same batch, before whose texts recordings stand; only a {@link SpeechModel} hears them. */
    public Batch withSpeech(@Nullable Speech recordings) {
        return new Batch(tokens, positions, lengths, segments, cache, observer, images, recordings);
    }

    void observe(AttentionObserver.Operands operands) {
        if (observer != null) {
            observer.see(operands);
        }
    }

    /** Where each sequence begins: {@code [sequences]} int64, owned by the caller's innermost scope. */
    public Tensor firstTokens() {
        long[] first = new long[lengths.length];
        for (int i = 1; i < first.length; i++) {
            first[i] = first[i - 1] + lengths[i - 1];
        }
        return Tensors.of(first);
    }

    /** Row of each sequence's last token. */
    long[] lastTokens() {
        long[] last = new long[lengths.length];
        long at = -1;
        for (int i = 0; i < last.length; i++) {
            at += lengths[i];
            last[i] = at;
        }
        return last;
    }

    /** Refuses a sequence that goes on past the last position a model knows. */
    public void requireWithin(int contextLength) {
        for (int i = 0; i < lengths.length; i++) {
            int end = lengths[i] + (cache == null ? 0 : cache.length(i));
            if (end > contextLength) {
                throw new LoricaException.BadInput("sequence " + i + " of the batch has " + end
                        + " tokens, but the model has only " + contextLength + " positions; cut it or split it");
            }
        }
    }

    public int size() {
        return lengths.length;
    }

    public int totalTokens() {
        int total = 0;
        for (int length : lengths) {
            total += length;
        }
        return total;
    }
}
