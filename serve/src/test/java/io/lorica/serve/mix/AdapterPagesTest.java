package io.lorica.serve.mix;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.lorica.model.CausalModel;
import io.lorica.serve.TinyModels;
import io.lorica.serve.pool.PagePool;
import io.lorica.tensor.DType;
import io.lorica.tensor.LoricaException;
import io.lorica.tensor.Scope;
import io.lorica.tensor.fused.LowRankOp;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.IntRange;
import net.jqwik.api.lifecycle.AfterContainer;
import net.jqwik.api.lifecycle.BeforeContainer;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorVector;
import org.bytedeco.pytorch.global.torch;

class AdapterPagesTest {
    private static final int[] RANKS = {1, 3, 8, 16};
    private static final List<ServedAdapter> ADAPTERS = new ArrayList<>();

    @SuppressWarnings("NullAway.Init")
    private static CausalModel model;

    @BeforeContainer
    static void open() {
        model = TinyModels.open("llama2", DType.F32);
        for (int rank : RANKS) {
            String settings =
                    "{'r':" + rank + ",'lora_alpha':2,'target_modules':['q_proj','k_proj','gate_proj','down_proj']}";
            ADAPTERS.add(ServedAdapter.of("rank" + rank, TinyModels.adapter(model, "lora", settings, rank)));
        }
    }

    @AfterContainer
    static void close() {
        ADAPTERS.forEach(ServedAdapter::close);
        ADAPTERS.clear();
        model.close();
    }

    private static PagePool pool(int pages, int widths) {
        long widest = ADAPTERS.getFirst().products().values().stream()
                .mapToLong(product -> product.in() + product.out())
                .max()
                .orElseThrow();
        return new PagePool(pages, widest * widths + 1, DType.F32);
    }

    /** Whatever pages they come to lie in, the factors that are read from them are the adapter's own. */
    @Property(tries = 30)
    void hold_pagesOfAnySize_keepsTheFactors(@ForAll long seed, @ForAll @IntRange(min = 1, max = 9) int widths) {
        Random random = new Random(seed);
        try (Scope _ = Scope.open();
                PagePool pool = pool(400, widths)) {
            for (int i = 0; i < 50; i++) {
                pool.take(PagePool.Use.CACHE);
            }
            random.ints(20, 0, 50).distinct().forEach(pool::give); // so that free pages lie here and there
            AdapterPages pages = new AdapterPages(pool);
            for (ServedAdapter adapter : ADAPTERS) {
                int before = pool.used(PagePool.Use.ADAPTERS);
                pages.hold(Blend.of(adapter));
                assertThat(pool.used(PagePool.Use.ADAPTERS) - before).isEqualTo(pages.pages(adapter));
            }
            for (ServedAdapter adapter : ADAPTERS) {
                model.sites().values().forEach(site -> {
                    if (adapter.at(site) instanceof ServedAdapter.Part.Product own) {
                        assertThat(pages.at(adapter, site))
                                .isInstanceOfSatisfying(ServedAdapter.Part.Product.class, paged -> {
                                    assertThat(rows(paged.factors(), true).equal(rows(own.factors(), true)))
                                            .isTrue();
                                    assertThat(rows(paged.factors(), false).equal(rows(own.factors(), false)))
                                            .isTrue();
                                });
                    }
                });
            }
        }
    }

    private static Tensor rows(LowRankOp.Product product, boolean a) {
        TensorVector pieces = new TensorVector();
        for (LowRankOp.Piece piece : product.pieces()) {
            pieces.push_back(
                    product.memory().view(a ? piece.a() : piece.b(), piece.rank(), a ? product.in() : product.out()));
        }
        return torch.cat(pieces, 0);
    }

    /** Any sequence of holding, releasing and evicting: who is held stays, and the pool's account is exact. */
    @Property(tries = 50)
    void pages_anySequence_areConserved(@ForAll long seed) {
        Random random = new Random(seed);
        try (Scope _ = Scope.open();
                PagePool pool = pool(60, 4)) {
            AdapterPages pages = new AdapterPages(pool);
            List<ServedAdapter> held = new ArrayList<>();
            for (int i = 0; i < 40; i++) {
                ServedAdapter adapter = ADAPTERS.get(random.nextInt(ADAPTERS.size()));
                int choice = random.nextInt(3);
                if (choice == 0 && pages.missing(Blend.of(adapter)) <= pool.free()) {
                    pages.hold(Blend.of(adapter));
                    held.add(adapter);
                } else if (choice == 1 && !held.isEmpty()) {
                    pages.release(Blend.of(held.remove(/* index */ random.nextInt(held.size()))));
                } else if (choice == 2) {
                    int idle = pages.idlePages();
                    int free = pool.free();
                    assertThat(pages.evict()).isEqualTo(idle > 0);
                    assertThat(pool.free() + pages.idlePages()).isEqualTo(free + idle);
                }
                held.forEach(one -> assertThat(pages.missing(Blend.of(one))).isZero());
                assertThat(pool.free() + pool.used(PagePool.Use.ADAPTERS)).isEqualTo(pool.pages());
            }
            held.forEach(one -> pages.release(Blend.of(one)));
            while (pages.evict()) {}
            assertThat(pool.free()).isEqualTo(pool.pages());
        }
    }

    @Property(tries = 1)
    void evict_severalIdle_letsTheLongestUnusedLeave() {
        try (PagePool pool = pool(60, 4)) {
            AdapterPages pages = new AdapterPages(pool);
            Blend first = Blend.of(ADAPTERS.get(0));
            Blend second = Blend.of(ADAPTERS.get(1));
            pages.hold(first);
            pages.hold(second);
            pages.release(second);
            pages.release(first);
            pages.hold(first);
            pages.release(first);
            pages.evict();
            assertThat(pages.missing(first)).isZero();
            assertThat(pages.missing(second)).isPositive();
        }
    }

    @Property(tries = 1)
    void pages_rankWiderThanAPage_isUnsupported() {
        try (PagePool pool = new PagePool(4, 8, DType.F32)) {
            assertThatThrownBy(() -> new AdapterPages(pool).pages(ADAPTERS.getFirst()))
                    .isInstanceOf(LoricaException.Unsupported.class)
                    .hasMessageContaining("page");
        }
    }
}
