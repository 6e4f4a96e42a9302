package io.lorica.adapter.mos;

import io.lorica.tensor.Grad;
import io.lorica.tensor.Scope;
import io.lorica.tensor.Seed;
import io.lorica.tensor.Tensors;
import java.util.Arrays;
import java.util.stream.LongStream;
import org.bytedeco.pytorch.GeneratorOptional;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;

/**
 * Which shards of its type's pool a site uses: drawn once, never trained. Consecutive indices make up a vector.
 *
 * @param a {@code [r l]} int64, owned by this object
 * @param b the same for the other pool
 */
record ShardTables(Tensor a, Tensor b) implements AutoCloseable {

    /**
     * The tables of layer i of L: {@code (r - p) l} of the public shards {@code 0 .. (e - p) L l} without repetition, then the
     * layer's own {@code p l} after all public ones, the same in both tables.
     *
     * @param layer counted from 0 among the sites of one type
     */
    static ShardTables draw(MosConfig config, String type, int layer, int layers) {
        Seed seed = new Seed(config.seed()).of(type).of(layer);
        long[] a = indices(config, seed.of("A"), layer, layers);
        long[] b = config.dissociated() ? indices(config, seed.of("B"), layer, layers) : a;
        return of(a, b);
    }

    static ShardTables of(long[] a, long[] b) {
        try (Scope _ = Scope.open();
                Grad _ = Grad.disabled()) {
            return new ShardTables(Scope.release(Tensors.of(a)), Scope.release(Tensors.of(b)));
        }
    }

    private static long[] indices(MosConfig config, Seed seed, int layer, int layers) {
        long open = (long) (config.budget() - config.ownRank()) * layers * config.shards();
        long drawn = (long) (config.r() - config.ownRank()) * config.shards();
        long own = (long) config.ownRank() * config.shards();
        long first = open + layer * own;
        LongStream shared =
                config.subset() ? Arrays.stream(permutation(seed, open)).limit(drawn) : LongStream.range(0, drawn);
        return LongStream.concat(shared, LongStream.range(first, first + own)).toArray();
    }

    private static long[] permutation(Seed seed, long n) {
        if (n == 0) {
            return new long[0];
        }
        try (Scope _ = Scope.open();
                GeneratorOptional generator = seed.generator()) {
            return Tensors.longs(torch.randperm(n, generator));
        }
    }

    /** {@code [r, in]} out of {@code [N, in / l]}; the gradient of a shard is the sum over its uses. */
    Tensor assembleA(Tensor pool, int r) {
        return pool.index_select(0, a).reshape(r, -1);
    }

    /** {@code [out, r]} out of {@code [N, out / l]}. */
    Tensor assembleB(Tensor pool, int r) {
        return pool.index_select(0, b).reshape(r, -1).t();
    }

    @Override
    public void close() {
        a.close();
        b.close();
    }
}
