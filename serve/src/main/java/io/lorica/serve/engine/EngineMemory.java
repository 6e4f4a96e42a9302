package io.lorica.serve.engine;

import io.lorica.model.CausalModel;
import io.lorica.model.Linear;
import io.lorica.model.Site;
import io.lorica.serve.mix.AdapterPages;
import io.lorica.serve.mix.Blend;
import io.lorica.serve.mix.ServedAdapter;
import io.lorica.serve.pool.PagePool;
import io.lorica.serve.pool.PagedCache;
import io.lorica.tensor.LoricaException;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Objects;
import java.util.Set;

/**
 * The engine's pages. Running requests hold pages of keys and values, and the pages of their adapters; when there are too
 * few, adapters that no running request uses leave, the longest unused first.
 */
final class EngineMemory implements AutoCloseable {
    private final PagePool pool;
    private final PagedCache.Shape shape;
    private final AdapterPages adapters;
    private final boolean overcommit;

    EngineMemory(CausalModel model, EngineOptions options) {
        shape = shape(model, options.paging().pageTokens());
        pool = new PagePool(shape.pages(options.cacheTokens()), shape.elements(), model.dtype());
        adapters = new AdapterPages(pool);
        overcommit = options.paging().overcommit();
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
        Blend blend = candidate.request().blend();
        if (overcommit) {
            if (!makeRoom(shape.pages(candidate.used() + 1) + adapters.missing(blend))) {
                return false;
            }
        } else if (!fitsUntilTheEnd(candidate, running) || !makeRoom(adapters.missing(blend))) {
            return false;
        }
        adapters.hold(blend);
        candidate.cache(new PagedCache(pool, shape));
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
        PagedCache cache = Objects.requireNonNull(request.cache());
        int total = cache.length() + tokens;
        if (!makeRoom(cache.missing(total))) {
            return false;
        }
        cache.reserve(total);
        return true;
    }

    /** Takes away what a request holds. */
    void dismiss(Running request) {
        PagedCache cache = request.cache();
        if (cache != null) {
            cache.close();
            request.cache(null);
            adapters.release(request.request().blend());
        }
    }

    /** Lets idle adapters leave until so many pages are free. */
    private boolean makeRoom(int pages) {
        adapters.sweep();
        if (pool.free() + adapters.idlePages() < pages) {
            return false;
        }
        while (pool.free() < pages) {
            adapters.evict();
        }
        return true;
    }

    AdapterPages adapters() {
        return adapters;
    }

    EngineStats.Pages pages() {
        return new EngineStats.Pages(
                pool.pages(), pool.free(), pool.used(PagePool.Use.CACHE), pool.used(PagePool.Use.ADAPTERS));
    }

    @Override
    public void close() {
        pool.close();
    }
}
