package io.lorica.serve.pool;

import io.lorica.model.SequenceCache;
import io.lorica.tensor.fused.BlockedRows;
import java.util.Arrays;
import org.bytedeco.pytorch.Tensor;

/**
 * Keys and values of one sequence in pages of a pool. A page holds the same tokens in all layers: for each layer the
 * keys {@code [tokens, width]}, then the values.
 *
 * <p>Pages are taken by {@link #reserve} before a pass, so that no pass stops half-way for want of one.
 */
public final class PagedCache implements SequenceCache {
    private final PagePool pool;
    private final Shape shape;
    private int[] pages = new int[4];
    private int held;
    private int length;

    /**
     * How keys and values lie in a page.
     *
     * @param layers of the model
     * @param width of all key heads of a layer together
     * @param tokens of a page
     */
    public record Shape(int layers, int width, int tokens) {
        /** Elements of a page. */
        public long elements() {
            return 2L * layers * tokens * width;
        }

        /** Pages that hold so many tokens. */
        public int pages(int count) {
            return (count + tokens - 1) / tokens;
        }

        private long keys(int layer) {
            return 2L * layer * tokens * width;
        }

        private long values(int layer) {
            return keys(layer) + (long) tokens * width;
        }
    }

    public PagedCache(PagePool pool, Shape shape) {
        this.pool = pool;
        this.shape = shape;
    }

    /** The same keys and values as another's, in a pool of as many pages: {@code length} tokens in these pages. */
    public static PagedCache of(PagePool pool, Shape shape, int[] pages, int length) {
        PagedCache cache = new PagedCache(pool, shape);
        cache.pages = pages.clone();
        cache.held = pages.length;
        cache.length = length;
        return cache;
    }

    /** Numbers of its pages, in the order of their tokens. */
    public int[] pages() {
        return Arrays.copyOf(pages, held);
    }

    /** Pages still to be taken before it can hold so many tokens. */
    public int missing(int tokens) {
        return Math.max(0, shape.pages(tokens) - held);
    }

    /** Takes the missing pages; the pool must have them. */
    public void reserve(int tokens) {
        for (int needed = missing(tokens); needed > 0; needed--) {
            add(pool.take(PagePool.Use.CACHE));
        }
    }

    /** Begins with a page full of tokens that another sequence has computed. It must hold whole pages so far. */
    void adopt(int page) {
        pool.share(page);
        add(page);
        length += shape.tokens();
    }

    private void add(int page) {
        if (held == pages.length) {
            pages = Arrays.copyOf(pages, 2 * held);
        }
        pages[held++] = page;
    }

    /** Puts a page with the same tokens of another sequence in the place of its own. */
    void replace(int index, int page) {
        pool.share(page);
        pool.give(pages[index]);
        pages[index] = page;
    }

    /** The page that holds the {@code index}-th run of tokens. */
    int page(int index) {
        return pages[index];
    }

    @Override
    public int length() {
        return length;
    }

    @Override
    public void append(int layer, Tensor k, Tensor v) {
        keyRows(layer).write(length, k);
        valueRows(layer).write(length, v);
    }

    @Override
    public BlockedRows keyRows(int layer) {
        return rows(shape.keys(layer));
    }

    @Override
    public BlockedRows valueRows(int layer) {
        return rows(shape.values(layer));
    }

    private BlockedRows rows(long offset) {
        long[] starts = new long[held];
        for (int i = 0; i < held; i++) {
            starts[i] = pool.start(pages[i]) + offset;
        }
        return new BlockedRows(pool.elements(), starts, shape.tokens(), shape.width());
    }

    @Override
    public void advance(int n) {
        length += n;
    }

    /** Gives its pages back. */
    @Override
    public void close() {
        for (int i = 0; i < held; i++) {
            pool.give(pages[i]);
        }
        held = 0;
        length = 0;
    }
}
