package io.lorica.serve.engine;

import static org.assertj.core.api.Assertions.assertThat;

import io.lorica.model.ModelStore;
import io.lorica.model.Pretrained;
import io.lorica.model.Sampling;
import io.lorica.serve.TinyModels;
import io.lorica.serve.engine.EngineOptions.Scheduling;
import io.lorica.serve.mix.Blend;
import io.lorica.serve.mix.ServedAdapter;
import io.lorica.serve.pool.PagePool;
import io.lorica.serve.pool.PagedCache;
import io.lorica.tensor.DType;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import net.jqwik.api.Example;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.lifecycle.AfterContainer;
import net.jqwik.api.lifecycle.BeforeContainer;

class SchedulerTest {
    private static final Scheduling IN_ORDER = new Scheduling(false, 0, Duration.ZERO, false);
    private static final Scheduling FAIR = new Scheduling(true, 0, Duration.ZERO, false);

    @SuppressWarnings("NullAway.Init")
    private static Pretrained base;

    @SuppressWarnings("NullAway.Init")
    private static ServedAdapter adapter;

    @BeforeContainer
    static void open() {
        base = ModelStore.standard().open("lorica-tiny", DType.F32);
        adapter = ServedAdapter.of(
                "a",
                TinyModels.adapter(base.causal(), "lora", "{'r':2,'lora_alpha':2,'target_modules':['q_proj']}", 1));
    }

    @AfterContainer
    static void close() {
        adapter.close();
        base.close();
    }

    private static Running request(String tenant, int promptTokens, Blend blend) {
        long[] prompt = new long[promptTokens];
        Arrays.fill(prompt, 5);
        Request request = new Request(prompt, Sampling.greedy(8), 0, -1, blend, tenant);
        return new Running(request, new Heard(), base.tokenizer(), 8);
    }

    private static Running request(String tenant) {
        return request(tenant, 10, Blend.BASE);
    }

    /** Lets in one after another until nobody waits; the tenants in that order. */
    private static List<String> order(Scheduler scheduler, List<Running> line) {
        List<Running> waiting = new ArrayList<>(line);
        List<String> tenants = new ArrayList<>();
        while (!waiting.isEmpty()) {
            scheduler.look(waiting);
            Running next = scheduler.choose(waiting, Set.of());
            waiting.remove(next);
            scheduler.entered(next);
            scheduler.done(waiting, 1);
            tenants.add(next.request().tenant());
        }
        return tenants;
    }

    private static List<Running> line(String tenants) {
        return tenants.chars().mapToObj(c -> request(String.valueOf((char) c))).toList();
    }

    @Example
    void choose_unfair_isOrderOfArrival() {
        assertThat(order(new Scheduler(IN_ORDER), line("aaabb"))).containsExactly("a", "a", "a", "b", "b");
    }

    @Example
    void choose_fair_takesTenantsInTurn() {
        assertThat(order(new Scheduler(FAIR), line("aaabb"))).containsExactly("a", "b", "a", "b", "a");
    }

    @Example
    void choose_fairWithOneTenant_isOrderOfArrival() {
        List<Running> line = List.of(request("", 3, Blend.BASE), request("", 9, Blend.BASE));
        Scheduler scheduler = new Scheduler(FAIR);
        scheduler.look(line);
        assertThat(scheduler.choose(line, Set.of())).isSameAs(line.getFirst());
    }

    /** Who was away has saved nothing up: from its return on the tenants take turns. */
    @Example
    void choose_tenantThatComesLater_isLiftedToTheOthers() {
        Scheduler scheduler = new Scheduler(FAIR);
        List<Running> early = line("aaaaaa");
        scheduler.look(early);
        for (int i = 0; i < 4; i++) {
            scheduler.entered(early.get(i));
        }
        scheduler.done(early.subList(4, 6), 4);
        List<Running> all = new ArrayList<>(early.subList(4, 6));
        all.addAll(line("bbb"));
        assertThat(order(scheduler, all)).containsExactly("a", "b", "a", "b", "b");
    }

    @Example
    void choose_whoWasRunning_comesFirst() {
        Running before = request("a");
        Scheduler scheduler = new Scheduler(FAIR);
        scheduler.entered(before);
        before.seat(
                new Running.Seat(new PagedCache(new PagePool(1, 2, DType.F32), new PagedCache.Shape(1, 1, 1)), null));
        List<Running> line = List.of(before, request("b"));
        scheduler.look(line);
        assertThat(scheduler.choose(line, Set.of())).isSameAs(before);
    }

    @Example
    void choose_clustering_prefersAdaptersInUse() {
        ServedAdapter other = ServedAdapter.of(
                "b",
                TinyModels.adapter(base.causal(), "lora", "{'r':2,'lora_alpha':2,'target_modules':['q_proj']}", 2));
        List<Running> line = List.of(request("a", 10, Blend.of(other)), request("a", 10, Blend.of(adapter)));
        Scheduler scheduler = new Scheduler(new Scheduling(false, 1, Duration.ZERO, false));
        assertThat(scheduler.choose(line, Set.of())).isSameAs(line.getFirst());
        assertThat(scheduler.choose(line, Set.of(adapter))).isSameAs(line.getLast());
        other.close();
    }

    @Example
    void choose_moreArriveThanEnter_takesTheNewest() {
        Scheduler scheduler = new Scheduler(new Scheduling(false, 0, Duration.ofSeconds(6), false));
        List<Running> line = line("aaaa");
        scheduler.look(line);
        assertThat(scheduler.choose(line, Set.of())).isSameAs(line.getLast());
    }

    @Example
    void choose_oneArrivesWhereOneEnters_takesTheOldest() {
        Scheduler scheduler = new Scheduler(new Scheduling(false, 0, Duration.ofSeconds(6), false));
        List<Running> line = line("aa");
        scheduler.look(line.subList(0, 1));
        scheduler.done(List.of(), 1);
        scheduler.look(line.subList(0, 1));
        assertThat(scheduler.choose(line, Set.of())).isSameAs(line.getFirst());
    }

    @Example
    void deadline_aim_leavesTimeForThePrompt() {
        EngineOptions options = EngineOptions.DEFAULT.with(new Scheduling(true, 0, Duration.ofSeconds(6), true));
        assertThat(Scheduler.deadline(options)).isEqualTo(Duration.ofMillis(5500));
        assertThat(Scheduler.deadline(EngineOptions.DEFAULT)).isEqualTo(Duration.ofSeconds(60));
    }

    /** The bound of VTC's theorem 4.4: while both always wait, what two tenants got differs by less than two requests. */
    @Property(tries = 50)
    void choose_twoAlwaysWaiting_areServedAlike(@ForAll long seed) {
        Random random = new Random(seed);
        Scheduler scheduler = new Scheduler(FAIR);
        Map<String, Integer> served = new HashMap<>(Map.of("a", 0, "b", 0));
        List<Running> waiting = new ArrayList<>();
        int most = 60;
        for (int i = 0; i < 100; i++) {
            for (String tenant : List.of("a", "b")) {
                waiting.add(request(tenant, 1 + random.nextInt("a".equals(tenant) ? most : 10), Blend.BASE));
            }
            scheduler.look(waiting);
            Running next = scheduler.choose(waiting, Set.of());
            waiting.remove(next);
            scheduler.entered(next);
            scheduler.done(waiting, 1);
            served.merge(next.request().tenant(), next.request().prompt().length, Integer::sum);
            assertThat(Math.abs(served.getOrDefault("a", 0) - served.getOrDefault("b", 0)))
                    .isLessThanOrEqualTo(2 * most);
        }
    }
}
