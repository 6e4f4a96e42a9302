package io.lorica.serve.engine;

import io.lorica.model.CausalModel;
import io.lorica.model.Linear;
import io.lorica.model.Site;
import io.lorica.serve.mix.AdapterPages;
import io.lorica.serve.mix.Blend;
import io.lorica.serve.mix.MergedBlend;
import io.lorica.serve.mix.ServedAdapter;
import io.lorica.serve.pool.PagePool;
import io.lorica.serve.pool.PagedCache;
import io.lorica.serve.pool.PrefixPages;
import io.lorica.tensor.LoricaException;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Objects;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * The engine's pages. Running requests hold pages of keys and values, and the pages of their adapters; when there are too
 * few, adapters that no running request uses leave, the longest unused first, then keys and values of earlier requests:
 * an adapter is copied back in, but these would have to be computed again. Merged weights go before all of these.
 */
final class EngineMemory implements AutoCloseable {

    /** Weights merged between two passes: few enough that the passes hardly wait for it. */
    private static final int SITES_A_PASS = 4;

    private final PagePool pool;
    private final PagedCache.Shape shape;
    private final AdapterPages adapters;
    private final PrefixPages prefixes;
    private final EngineOptions.Paging options;
    private final CausalModel model;
    private final boolean merges;
    private @Nullable MergedBlend merged;
    private @Nullable Blend common;
    private int passes;
    private long prefixTokens;

    EngineMemory(Crew crew, EngineOptions options) {
        model = crew.model();
        shape = shape(model, options.paging().pageTokens());
        pool = new PagePool(shape.pages(options.cacheTokens()), shape.elements(), model.dtype());
        adapters = crew.usesPages() ? new AdapterPages(pool) : AdapterPages.beside(pool);
        prefixes = new PrefixPages(pool, shape.tokens());
        merges = crew.usesPages() && options.paging().mergeAfter() > 0;
        this.options = options.paging();
    }

    void attach(Crew crew) {
        crew.attach(pool.pages(), shape.tokens());
    }

    /** Pages of at least so many tokens, doubled until one rank of an adapter on any site fits into a page. */
    private static PagedCache.Shape shape(CausalModel model, int pageTokens) {
        long widest = 0;
        for (Site site : model.sites().values()) {
            widest = Math.max(widest, site instanceof Linear ? site.in() + site.out() : 0);
        }
        PagedCache.Shape shape = new PagedCache.Shape(model.blocks().size(), model.keyWidth(), pageTokens);
        while (shape.elements() < widest) {
            shape = new PagedCache.Shape(shape.layers(), shape.width(), 2 * shape.tokens());
        }
        return shape;
    }

    /**
     * Refuses what could never run, even alone. May be called by any thread.
     *
     * @param limit most tokens to generate
     */
    void requireFit(Request request, int limit) {
        int prompt = request.prompt().length;
        int cache = shape.pages(prompt + limit);
        int own = request.blend().parts().stream()
                .mapToInt(part -> adapters.pages(part.adapter()))
                .sum();
        if (cache + own > pool.pages()) {
            throw new LoricaException.BadInput("the prompt's " + prompt + " tokens and " + limit + " more take " + cache
                    + " pages" + (own > 0 ? " and the adapters " + own : "")
                    + ", which can never fit into the cache of " + pool.pages() * shape.tokens() + " tokens ("
                    + pool.pages() + " pages); ask for fewer tokens, or start the server with a larger cache");
        }
    }

    /**
     * Gives a request its place beside those that run, if there is room: with overcommitment for the tokens it has and
     * one more, else for all that everybody may still add.
     */
    boolean admit(Running candidate, List<Running> running) {
        if (!options.overcommit() && !fitsUntilTheEnd(candidate, running)) {
            return false;
        }
        Blend blend = candidate.request().blend();
        PagedCache cache = new PagedCache(pool, shape);
        PrefixPages.Chain chain = options.prefixes() ? prefixes.chain(blend) : null;
        if (chain != null) {
            chain.adopt(candidate.tokens(), candidate.used(), cache);
        }
        int first = options.overcommit() ? cache.missing(candidate.used() + 1) : 0;
        Blend present = adapters.present(blend);
        adapters.hold(present); // its own idle adapters must not make room for it
        boolean room = makeRoom(first + adapters.missing(blend));
        if (room) {
            adapters.hold(blend);
        }
        adapters.release(present);
        if (!room) {
            cache.close();
            return false;
        }
        prefixTokens += cache.length();
        candidate.seat(new Running.Seat(cache, chain));
        return true;
    }

    private boolean fitsUntilTheEnd(Running candidate, List<Running> running) {
        List<Admission.Load> loads = new ArrayList<>();
        Set<ServedAdapter> used = new HashSet<>();
        List<Running> all = new ArrayList<>(running);
        all.add(candidate);
        for (Running request : all) {
            loads.add(new Admission.Load(request.used(), request.left()));
            request.request().blend().parts().forEach(part -> used.add(part.adapter()));
        }
        int held = used.stream().mapToInt(adapters::pages).sum();
        return Admission.peak(loads, shape.tokens()) + held <= pool.pages();
    }

    /** Takes pages for a running request's next tokens. False where there are none left. */
    boolean reserve(Running request, int tokens) {
        PagedCache cache = Objects.requireNonNull(request.seat()).cache();
        int total = cache.length() + tokens;
        if (!makeRoom(cache.missing(total))) {
            return false;
        }
        cache.reserve(total);
        return true;
    }

    /** Lets others go on from the pages that a request's tokens have filled. */
    void publish(Running request) {
        Running.Seat seat = request.seat();
        if (seat != null && seat.chain() != null) {
            seat.chain().publish(request.tokens(), seat.cache());
        }
    }

    /** Takes away what a request holds. */
    void dismiss(Running request) {
        Running.Seat seat = request.seat();
        if (seat != null) {
            seat.cache().close();
            request.seat(null);
            adapters.release(request.request().blend());
        }
    }

    /** Copies the first adapter into free pages that a waiting request lacks; nobody has to leave for it. */
    void prefetch(List<Running> waiting) {
        for (Running request : waiting) {
            int missing = adapters.missing(request.request().blend());
            if (missing > 0) {
                if (missing <= pool.free()) {
                    adapters.prefetch(request.request().blend());
                }
                return;
            }
        }
    }

    /** Forgets adapters that nobody can ask for any more. */
    void sweep() {
        adapters.sweep();
        prefixes.forget(root -> root instanceof Blend blend
                && blend.parts().stream().anyMatch(part -> part.adapter().closed()));
    }

    /**
     * Tells what the next pass computes. When all requests have had the same adapters for long enough, these are merged
     * site by site; when others come, the merged weights go.
     *
     * @return weights to compute with, or null
     */
    @Nullable
    MergedBlend merged(List<Step.Slice> slices) {
        Set<Blend> blends = new HashSet<>();
        slices.forEach(slice -> blends.add(slice.request().request().blend()));
        Blend only = blends.size() == 1 ? blends.iterator().next() : Blend.BASE;
        if (!only.equals(common)) {
            unmerge();
            common = only;
        }
        if (!merges || only.parts().isEmpty() || only.replaces() || ++passes < options.mergeAfter()) {
            return null;
        }
        MergedBlend current = merged;
        if (current == null) {
            current = new MergedBlend(model, only, pool);
            merged = current;
        }
        for (int i = 0; i < SITES_A_PASS && current.mergeNext(pool.pages() / 4); i++) {}
        return current;
    }

    private void unmerge() {
        if (merged != null) {
            merged.close();
            merged = null;
        }
        passes = 0;
    }

    /** Lets merged weights go, then idle adapters, then pages of earlier sequences, until so many pages are free. */
    private boolean makeRoom(int pages) {
        if (pool.free() >= pages) {
            return true;
        }
        unmerge();
        if (pool.free() + adapters.idlePages() + prefixes.idlePages() < pages) {
            return false;
        }
        while (pool.free() < pages) {
            if (!adapters.evict()) {
                prefixes.evict();
            }
        }
        return true;
    }

    /** Tokens whose keys and values were taken over from earlier sequences. */
    long prefixTokens() {
        return prefixTokens;
    }

    AdapterPages adapters() {
        return adapters;
    }

    EngineStats.Pages pages() {
        return new EngineStats.Pages(
                pool.pages(),
                pool.free(),
                pool.used(PagePool.Use.CACHE),
                prefixes.idlePages(),
                pool.used(PagePool.Use.ADAPTERS),
                pool.used(PagePool.Use.MERGED));
    }

    @Override
    public void close() {
        unmerge();
        pool.close();
    }
}
