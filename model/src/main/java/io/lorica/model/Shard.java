package io.lorica.model;

import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * What one of several ranks computes of a model, as Megatron-LM splits it (Shoeybi et al., 2019): the maps into attention
 * and into the wide layer are cut by their outputs, those back by their inputs, so that a block's two halves each end with
 * one sum over the ranks. Everything else is whole on every rank.
 *
 * @param config of a model that is this rank's part and nothing more
 * @param spans by the {@linkplain Site#leaf leaf} of a site's name
 */
public record Shard(int rank, int ranks, ModelConfig config, Map<String, Span> spans) {

    /** Along which side of a map {@code [out, in]} it is cut. */
    public enum Side {
        /** Column-parallel: each rank has some outputs. */
        OUT,
        /** Row-parallel: each rank has some inputs, and the outputs of all ranks add up. */
        IN
    }

    /** {@code size} outputs or inputs from {@code from} on. */
    public record Span(Side side, long from, long size) {

        /** A rank's part of {@code count}: as even as it goes, the first ranks one more. */
        public static Span even(Side side, long count, int rank, int ranks) {
            long size = count / ranks;
            long more = count % ranks;
            return new Span(side, rank * size + Math.min(rank, more), size + (rank < more ? 1 : 0));
        }

        /** The same of units of {@code width}. */
        public Span times(long width) {
            return new Span(side, from * width, size * width);
        }

        /** The same places on another side. */
        public Span on(Side other) {
            return new Span(other, from, size);
        }
    }

    public Shard {
        spans = Map.copyOf(spans);
    }

    /** The part of a site; null where this rank has all of it. */
    public @Nullable Span span(String site) {
        return spans.get(site.substring(site.lastIndexOf('.') + 1));
    }
}
