package io.lorica.serve.mix;

import io.lorica.model.Site;
import io.lorica.serve.pool.PagePool;
import io.lorica.tensor.Grad;
import io.lorica.tensor.LoricaException;
import io.lorica.tensor.Scope;
import io.lorica.tensor.fused.Elements;
import io.lorica.tensor.fused.LowRankOp;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * The adapters whose plain products lie in pages of a pool. A page is filled with whole ranks, a row of A with its row of
 * the turned B; a product that meets the end of a page goes on in the next, so that rank costs memory in proportion and
 * nothing is padded. Parts that are no plain products stay in their adapter's own memory.
 *
 * <p>Those that a running request uses stay; the others leave when asked to, the longest unused first. One thread uses it.
 */
public final class AdapterPages {
    private final PagePool pool;
    private final boolean inside;
    private final Map<ServedAdapter, Resident> residents = new HashMap<>();
    private long clock;

    private static final class Resident {
        final List<Integer> pages = new ArrayList<>();
        final Map<String, ServedAdapter.Part> parts = new HashMap<>();
        int users;
        long lastUse;
    }

    public AdapterPages(PagePool pool) {
        this(pool, true);
    }

    private AdapterPages(PagePool pool, boolean inside) {
        this.pool = pool;
        this.inside = inside;
    }

    /** Adapters that lie elsewhere: they are counted, but take no pages. */
    public static AdapterPages beside(PagePool pool) {
        return new AdapterPages(pool, false);
    }

    private Map<String, LowRankOp.Product> products(ServedAdapter adapter) {
        return inside ? adapter.products() : Map.of();
    }

    /** Where an adapter's next factors go. */
    private final class Cursor {
        private long room;
        private int pages;

        /** Ranks that fit into this page, or the next where this one has no room for any; at most {@code most}. */
        int fit(long width, int most) {
            if (room < width) {
                room = pool.pageElements();
                pages++;
            }
            int count = (int) Math.min(most, room / width);
            room -= count * width;
            return count;
        }

        /** Place in the newest page of what {@link #fit} gave last. */
        long at(long width, int count) {
            return pool.pageElements() - room - count * width;
        }
    }

    /**
     * Pages that an adapter takes.
     *
     * @throws LoricaException.Unsupported where one rank of a site is larger than a page
     */
    public int pages(ServedAdapter adapter) {
        Cursor cursor = new Cursor();
        products(adapter).forEach((site, product) -> {
            long width = (long) product.in() + product.out();
            if (width > pool.pageElements()) {
                throw new LoricaException.Unsupported("adapter '" + adapter.name() + "' needs " + width
                        + " elements for one rank of " + site + ", but a page of the engine's memory has only "
                        + pool.pageElements() + "; start it with more page tokens");
            }
            for (int left = product.rank(); left > 0; ) {
                left -= cursor.fit(width, left);
            }
        });
        return cursor.pages;
    }

    /** The parts whose adapters are held already, used or not. */
    public Blend present(Blend blend) {
        return new Blend(blend.parts().stream()
                .filter(part -> residents.containsKey(part.adapter()))
                .toList());
    }

    /** Pages that must be free before these adapters can all be held. */
    public int missing(Blend blend) {
        return blend.parts().stream()
                .map(Blend.Part::adapter)
                .filter(adapter -> !residents.containsKey(adapter))
                .mapToInt(this::pages)
                .sum();
    }

    /** Brings in what is missing, for which the pool must have the pages, and keeps it until {@link #release}. */
    public void hold(Blend blend) {
        for (Blend.Part part : blend.parts()) {
            Resident resident = resident(part.adapter());
            resident.users++;
            resident.lastUse = ++clock;
        }
    }

    /** Brings in what is missing, for requests that are still to come. */
    public void prefetch(Blend blend) {
        blend.parts().forEach(part -> resident(part.adapter()).lastUse = ++clock);
    }

    public void release(Blend blend) {
        for (Blend.Part part : blend.parts()) {
            Objects.requireNonNull(residents.get(part.adapter())).users--;
        }
    }

    /** Lets the idle adapter leave that has been unused for longest. False where all are used. */
    public boolean evict() {
        Optional<Map.Entry<ServedAdapter, Resident>> idlest = residents.entrySet().stream()
                .filter(entry -> entry.getValue().users == 0)
                .min(Comparator.comparingLong(entry -> entry.getValue().lastUse));
        idlest.ifPresent(entry -> remove(entry.getKey()));
        return idlest.isPresent();
    }

    /** Pages of adapters that nobody uses. */
    public int idlePages() {
        return residents.values().stream()
                .filter(resident -> resident.users == 0)
                .mapToInt(resident -> resident.pages.size())
                .sum();
    }

    /** Lets those leave that nobody can ask for any more. */
    public void sweep() {
        residents.keySet().stream().filter(ServedAdapter::closed).toList().forEach(this::remove);
    }

    public int count() {
        return residents.size();
    }

    /** What an adapter does at a site: from its pages, or from its own memory where it is not in the pool. */
    ServedAdapter.@Nullable Part at(ServedAdapter adapter, Site site) {
        Resident resident = residents.get(adapter);
        ServedAdapter.Part paged = resident == null ? null : resident.parts.get(site.name());
        return paged == null ? adapter.at(site) : paged;
    }

    private void remove(ServedAdapter adapter) {
        Resident resident = residents.get(adapter);
        if (resident != null && resident.users == 0) {
            residents.remove(adapter);
            resident.pages.forEach(pool::give);
        }
    }

    private Resident resident(ServedAdapter adapter) {
        return residents.computeIfAbsent(adapter, this::load);
    }

    private Resident load(ServedAdapter adapter) {
        AdapterCopyEvent event = new AdapterCopyEvent();
        event.begin();
        Resident resident = new Resident();
        Cursor cursor = new Cursor();
        try (Scope _ = Scope.open();
                Grad _ = Grad.disabled()) {
            products(adapter).forEach((site, product) -> {
                List<LowRankOp.Piece> pieces = new ArrayList<>();
                for (int done = 0; done < product.rank(); ) {
                    long width = (long) product.in() + product.out();
                    int count = cursor.fit(width, product.rank() - done);
                    if (resident.pages.size() < cursor.pages) {
                        resident.pages.add(pool.take(PagePool.Use.ADAPTERS));
                    }
                    long at = pool.start(resident.pages.getLast()) + cursor.at(width, count);
                    pieces.add(copy(product, done, count, at));
                    done += count;
                }
                resident.parts.put(
                        site,
                        new ServedAdapter.Part.Product(
                                new LowRankOp.Product(pool.elements(), product.in(), product.out(), pieces)));
            });
        }
        event.adapter = adapter.name();
        event.pages = resident.pages.size();
        event.commit();
        return resident;
    }

    private LowRankOp.Piece copy(LowRankOp.Product product, int first, int count, long at) {
        Elements from = product.memory();
        LowRankOp.Piece whole = product.pieces().getFirst();
        LowRankOp.Piece piece = new LowRankOp.Piece(count, at, at + (long) count * product.in());
        pool.elements().write(piece.a(), from.view(whole.a() + (long) first * product.in(), count, product.in()));
        pool.elements().write(piece.b(), from.view(whole.b() + (long) first * product.out(), count, product.out()));
        return piece;
    }
}
