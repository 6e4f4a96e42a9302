package io.lorica.serve.pool;

import static org.assertj.core.api.Assertions.assertThat;

import io.lorica.tensor.DType;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import net.jqwik.api.Example;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;

class PrefixPagesTest {
    private static final int TOKENS = 2;

    /** A sequence with its pages. */
    private record Held(long[] tokens, PagedCache cache) {}

    private static Held run(PagePool pool, PrefixPages prefixes, Object root, long... tokens) {
        PagedCache cache = new PagedCache(pool, new PagedCache.Shape(1, 1, TOKENS));
        PrefixPages.Chain chain = prefixes.chain(root);
        chain.adopt(tokens, tokens.length, cache);
        cache.reserve(tokens.length);
        cache.advance(tokens.length - cache.length());
        chain.publish(tokens, cache);
        return new Held(tokens, cache);
    }

    private static int adopted(PagePool pool, PrefixPages prefixes, Object root, long... tokens) {
        try (PagedCache cache = new PagedCache(pool, new PagedCache.Shape(1, 1, TOKENS))) {
            prefixes.chain(root).adopt(tokens, tokens.length, cache);
            return cache.length();
        }
    }

    private static PagePool pool(int pages) {
        return new PagePool(pages, 2L * TOKENS, DType.F32);
    }

    @Example
    void adopt_sameBeginning_takesFullPagesBeforeTheLastToken() {
        try (PagePool pool = pool(20)) {
            PrefixPages prefixes = new PrefixPages(pool, TOKENS);
            run(pool, prefixes, "a", 1, 2, 3, 4, 5).cache().close();
            assertThat(adopted(pool, prefixes, "a", 1, 2, 3, 4, 5, 6)).isEqualTo(4);
            assertThat(adopted(pool, prefixes, "a", 1, 2, 3, 4)).isEqualTo(2);
            assertThat(adopted(pool, prefixes, "a", 1, 2, 9, 4, 5)).isEqualTo(2);
            assertThat(adopted(pool, prefixes, "a", 9, 2, 3, 4, 5)).isZero();
            assertThat(adopted(pool, prefixes, "b", 1, 2, 3, 4, 5)).isZero();
        }
    }

    @Example
    void publish_sameTokensTwice_sharesThePages() {
        try (PagePool pool = pool(20)) {
            PrefixPages prefixes = new PrefixPages(pool, TOKENS);
            PagedCache first = new PagedCache(pool, new PagedCache.Shape(1, 1, TOKENS));
            PrefixPages.Chain chain = prefixes.chain("a");
            first.reserve(4);
            first.advance(4);
            run(pool, prefixes, "a", 1, 2, 3, 4);
            chain.publish(new long[] {1, 2, 3, 4}, first);
            assertThat(pool.used(PagePool.Use.CACHE)).isEqualTo(2);
        }
    }

    @Example
    void forget_root_givesItsPagesBack() {
        try (PagePool pool = pool(20)) {
            PrefixPages prefixes = new PrefixPages(pool, TOKENS);
            run(pool, prefixes, "a", 1, 2, 3, 4, 5).cache().close();
            run(pool, prefixes, "b", 1, 2, 3, 4, 5).cache().close();
            prefixes.forget("a"::equals);
            assertThat(adopted(pool, prefixes, "a", 1, 2, 3)).isZero();
            assertThat(adopted(pool, prefixes, "b", 1, 2, 3)).isEqualTo(2);
            assertThat(pool.used(PagePool.Use.CACHE)).isEqualTo(2);
        }
    }

    /** Sequences over two tokens and two roots come and go: all idle pages can leave, and then none is left. */
    @Property(tries = 200)
    void pages_anySequence_areConserved(@ForAll long seed) {
        Random random = new Random(seed);
        try (PagePool pool = pool(24)) {
            PrefixPages prefixes = new PrefixPages(pool, TOKENS);
            List<Held> held = new ArrayList<>();
            for (int i = 0; i < 40; i++) {
                int choice = random.nextInt(4);
                if (choice < 2 && pool.free() >= 4) {
                    long[] tokens = random.longs(1 + random.nextInt(7), 0, 2).toArray();
                    held.add(run(pool, prefixes, random.nextBoolean(), tokens));
                } else if (choice == 2 && !held.isEmpty()) {
                    held.remove(/* index */ random.nextInt(held.size())).cache().close();
                } else if (choice == 3) {
                    int idle = prefixes.idlePages();
                    assertThat(prefixes.evict()).isEqualTo(idle > 0);
                    assertThat(prefixes.idlePages()).isEqualTo(Math.max(0, idle - 1));
                }
                assertThat(pool.free() + pool.used(PagePool.Use.CACHE)).isEqualTo(pool.pages());
            }
            held.forEach(one -> one.cache().close());
            assertThat(prefixes.idlePages()).isEqualTo(pool.used(PagePool.Use.CACHE));
            while (prefixes.evict()) {}
            assertThat(pool.free()).isEqualTo(pool.pages());
        }
    }
}
