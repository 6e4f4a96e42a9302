package io.lorica.serve.pool;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.lorica.tensor.DType;
import io.lorica.tensor.LoricaException;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Random;
import net.jqwik.api.Example;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;

class PagePoolTest {
    private static final int PAGES = 12;

    /** Any sequence of taking, sharing and giving: no page is lost, none has two owners, and the account is exact. */
    @Property(tries = 200)
    void pages_anySequence_areConserved(@ForAll long seed) {
        Random random = new Random(seed);
        try (PagePool pool = new PagePool(PAGES, 4, DType.F32)) {
            int[] holders = new int[PAGES];
            Map<Integer, PagePool.Use> uses = new HashMap<>();
            List<Integer> held = new ArrayList<>();
            for (int i = 0; i < 60; i++) {
                int choice = random.nextInt(3);
                if (choice == 0 && pool.free() > 0) {
                    PagePool.Use use = random.nextBoolean() ? PagePool.Use.CACHE : PagePool.Use.ADAPTERS;
                    int page = pool.take(use);
                    assertThat(holders[page]).isZero();
                    holders[page] = 1;
                    uses.put(page, use);
                    held.add(page);
                } else if (choice == 1 && !held.isEmpty()) {
                    int page = held.get(random.nextInt(held.size()));
                    pool.share(page);
                    holders[page]++;
                    held.add(page);
                } else if (choice == 2 && !held.isEmpty()) {
                    int page = held.remove(/* index */ random.nextInt(held.size()));
                    pool.give(page);
                    holders[page]--;
                }
                assertAccount(pool, holders, uses);
            }
            held.forEach(pool::give);
            assertThat(pool.free()).isEqualTo(PAGES);
        }
    }

    private static void assertAccount(PagePool pool, int[] holders, Map<Integer, PagePool.Use> uses) {
        Map<PagePool.Use, Integer> used = new HashMap<>();
        int free = PAGES;
        for (int page = 0; page < PAGES; page++) {
            assertThat(pool.holders(page)).isEqualTo(holders[page]);
            if (holders[page] > 0) {
                used.merge(Objects.requireNonNull(uses.get(page)), 1, Integer::sum);
                free--;
            }
        }
        for (PagePool.Use use : PagePool.Use.values()) {
            assertThat(pool.used(use)).isEqualTo(used.getOrDefault(use, 0));
        }
        assertThat(pool.free()).isEqualTo(free);
    }

    @Example
    void takeRun_holesBetween_takesPagesThatLieTogether() {
        try (PagePool pool = new PagePool(6, 4, DType.F32)) {
            for (int i = 0; i < 6; i++) {
                pool.take(PagePool.Use.CACHE);
            }
            List.of(0, 2, 3, 4).forEach(pool::give);
            assertThat(pool.takeRun(4, PagePool.Use.MERGED)).isEmpty();
            assertThat(pool.takeRun(2, PagePool.Use.MERGED)).hasValue(2);
            assertThat(pool.free()).isEqualTo(2);
            assertThat(pool.used(PagePool.Use.MERGED)).isEqualTo(2);
            assertThat(List.of(pool.take(PagePool.Use.CACHE), pool.take(PagePool.Use.CACHE)))
                    .containsExactlyInAnyOrder(0, 4);
        }
    }

    @Example
    void give_pageNobodyHolds_isRefused() {
        try (PagePool pool = new PagePool(2, 4, DType.F32)) {
            int page = pool.take(PagePool.Use.CACHE);
            pool.give(page);
            assertThatThrownBy(() -> pool.give(page)).isInstanceOf(LoricaException.Internal.class);
        }
    }

    @Example
    void take_noneFree_isRefused() {
        try (PagePool pool = new PagePool(1, 4, DType.F32)) {
            pool.take(PagePool.Use.CACHE);
            assertThatThrownBy(() -> pool.take(PagePool.Use.CACHE)).isInstanceOf(LoricaException.Internal.class);
        }
    }
}
