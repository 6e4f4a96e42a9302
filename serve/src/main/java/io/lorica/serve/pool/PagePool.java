package io.lorica.serve.pool;

import io.lorica.tensor.DType;
import io.lorica.tensor.LoricaException;
import io.lorica.tensor.Scope;
import io.lorica.tensor.Tensors;
import io.lorica.tensor.fused.Elements;
import java.util.Arrays;
import java.util.EnumMap;
import java.util.Map;
import java.util.OptionalInt;
import org.bytedeco.pytorch.Tensor;

/**
 * Memory taken once and handed out in pages of equal size, so that keys and values of any length and adapters of any rank
 * share it and what one gives back any other can take (S-LoRA's unified paging; Sheng et al., 2023, section 5).
 *
 * <p>S-LoRA's page is one vector of the hidden width in each layer. Here it is {@code pageTokens} tokens' keys and
 * values in all layers: a table has fewer entries, rows are read in longer runs, and widths that differ from site to
 * site (grouped keys, the wide layers of the MLP) fit in as well; an owner leaves less than one page unused.
 *
 * <p>A page may be held by several, and is free when the last has given it back. One thread uses a pool.
 */
public final class PagePool implements AutoCloseable {

    /** What a page is used for. */
    public enum Use {
        CACHE,
        ADAPTERS,
        /** Weights of the base with an adapter merged into a copy. */
        MERGED
    }

    private final Tensor memory;
    private final Elements elements;
    private final DType type;
    private final long pageElements;
    private final int[] holders;
    private final Use[] uses;
    private final int[] free;
    private final Map<Use, Integer> used = new EnumMap<>(Use.class);
    private int freeCount;

    /**
     * Takes the memory; the system gives it as it is written.
     *
     * @param pages how many
     * @param pageElements elements of a page
     */
    public PagePool(int pages, long pageElements, DType type) {
        this.pageElements = pageElements;
        this.type = type;
        try (Scope _ = Scope.open()) {
            memory = Scope.release(Tensors.empty(type, Math.multiplyExact(pages, pageElements)));
        }
        elements = new Elements(memory);
        holders = new int[pages];
        uses = new Use[pages];
        free = new int[pages];
        Arrays.setAll(free, i -> pages - 1 - i);
        freeCount = pages;
    }

    public int pages() {
        return holders.length;
    }

    public int free() {
        return freeCount;
    }

    public int used(Use use) {
        return used.getOrDefault(use, 0);
    }

    public long pageElements() {
        return pageElements;
    }

    public DType type() {
        return type;
    }

    public Elements elements() {
        return elements;
    }

    /** The first element of a page. */
    public long start(int page) {
        return page * pageElements;
    }

    /** Takes one free page; whoever takes it gives it back once. Ask {@link #free()} first. */
    public int take(Use use) {
        if (freeCount == 0) {
            throw new LoricaException.Internal("a page was taken from a pool that has no free one");
        }
        int page = free[--freeCount];
        holders[page] = 1;
        uses[page] = use;
        used.merge(use, 1, Integer::sum);
        return page;
    }

    /**
     * Takes free pages that lie together.
     *
     * @return the first of them; empty where so many lie nowhere together
     */
    public OptionalInt takeRun(int count, Use use) {
        for (int page = 0, run = 0; page < holders.length; page++) {
            run = holders[page] == 0 ? run + 1 : 0;
            if (run == count) {
                int first = page - count + 1;
                int kept = 0;
                for (int i = 0; i < freeCount; i++) {
                    if (free[i] < first || free[i] > page) {
                        free[kept++] = free[i];
                    }
                }
                freeCount = kept;
                Arrays.fill(holders, first, page + 1, 1);
                Arrays.fill(uses, first, page + 1, use);
                used.merge(use, count, Integer::sum);
                return OptionalInt.of(first);
            }
        }
        return OptionalInt.empty();
    }

    /** Holds a page that somebody else holds already. */
    public void share(int page) {
        requireHeld(page);
        holders[page]++;
    }

    /** How many hold a page. */
    public int holders(int page) {
        return holders[page];
    }

    /** Gives up one hold on a page. */
    public void give(int page) {
        requireHeld(page);
        if (--holders[page] == 0) {
            used.merge(uses[page], -1, Integer::sum);
            free[freeCount++] = page;
        }
    }

    private void requireHeld(int page) {
        if (holders[page] == 0) {
            throw new LoricaException.Internal("page " + page + " is used, but nobody holds it");
        }
    }

    /** Frees the memory. Nobody may use a page any more. */
    @Override
    public void close() {
        memory.close();
    }
}
