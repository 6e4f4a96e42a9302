package io.lorica.serve.engine;

import static org.assertj.core.api.Assertions.assertThat;

import io.lorica.adapter.AdapterStack;
import io.lorica.adapter.MergeOptions;
import io.lorica.model.CausalModel;
import io.lorica.model.ModelStore;
import io.lorica.model.Pretrained;
import io.lorica.model.Sampling;
import io.lorica.model.TextGenerator;
import io.lorica.serve.TinyModels;
import io.lorica.serve.engine.EngineOptions.Paging;
import io.lorica.serve.engine.EngineOptions.Scheduling;
import io.lorica.serve.mix.Blend;
import io.lorica.serve.mix.ServedAdapter;
import io.lorica.tensor.DType;
import io.lorica.tensor.LoricaException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.lifecycle.AfterContainer;
import net.jqwik.api.lifecycle.BeforeContainer;

/** An engine with any options under any mix of requests gives each the answer of a model with its adapters merged. */
class EngineMixTest {
    private static final List<String> PROMPTS =
            List.of("The", "Once upon a time there", "Once upon a time", "She said");
    private static final List<String[]> KINDS = List.of(
            new String[] {"lora", "{'r':2,'lora_alpha':8,'target_modules':['q_proj','v_proj','down_proj']}"},
            new String[] {"lora", "{'r':9,'lora_alpha':18,'target_modules':['q_proj','k_proj','up_proj']}"},
            new String[] {"dora", "{'r':3,'lora_alpha':6,'target_modules':['q_proj','o_proj']}"});
    private static final int TOKENS = 8;

    @SuppressWarnings("NullAway.Init")
    private static Pretrained base;

    @SuppressWarnings("NullAway.Init")
    private static Pretrained copy;

    @SuppressWarnings("NullAway.Init")
    private static AdapterStack stack;

    private static final List<ServedAdapter> ADAPTERS = new ArrayList<>();
    private static final Map<String, String> ALONE = new HashMap<>();

    @BeforeContainer
    static void open() {
        base = ModelStore.standard().open("lorica-tiny", DType.F32);
        copy = ModelStore.standard().open("lorica-tiny", DType.F32);
        stack = new AdapterStack(copy.causal());
        for (int i = 0; i < KINDS.size(); i++) {
            String[] kind = KINDS.get(i);
            ADAPTERS.add(ServedAdapter.of("a" + i, TinyModels.adapter(base.causal(), kind[0], kind[1], i)));
            stack.add("a" + i, TinyModels.adapter(copy.causal(), kind[0], kind[1], i));
        }
    }

    @AfterContainer
    static void close() {
        ADAPTERS.forEach(ServedAdapter::close);
        ADAPTERS.clear();
        stack.close();
        base.close();
        copy.close();
    }

    /** A prompt with the base, an adapter, or two. */
    private record Wish(String prompt, Map<Integer, Double> weights) {
        static Wish draw(Random random) {
            Map<Integer, Double> weights = new LinkedHashMap<>();
            int count = random.nextInt(3);
            random.ints(0, KINDS.size()).distinct().limit(count).forEach(i -> weights.put(i, count == 1 ? 1 : 0.5));
            return new Wish(PROMPTS.get(random.nextInt(PROMPTS.size())), weights);
        }

        Request request(String tenant) {
            Blend blend = new Blend(weights.entrySet().stream()
                    .map(entry -> new Blend.Part(ADAPTERS.get(entry.getKey()), entry.getValue()))
                    .toList());
            long[] prompt = base.tokenizer().encode(this.prompt, true);
            return new Request(prompt, Sampling.greedy(TOKENS), 0, -1, blend, tenant);
        }

        /** By another route: the adapters merged into the weights, and a generator of one sequence. */
        String alone() {
            return ALONE.computeIfAbsent(toString(), _ -> {
                Map<String, Double> named = new LinkedHashMap<>();
                weights.forEach((index, weight) -> named.put("a" + index, weight));
                if (!named.isEmpty()) {
                    stack.merge(named, MergeOptions.of(DType.F32).withTolerance(1.0));
                }
                CausalModel model = copy.causal();
                long[] prompt = copy.tokenizer().encode(this.prompt, true);
                String text = TextGenerator.generate(model, copy.tokenizer(), prompt, Sampling.greedy(TOKENS), _ -> {})
                        .text();
                if (!named.isEmpty()) {
                    stack.unmerge();
                }
                stack.disable();
                return text;
            });
        }
    }

    private static EngineOptions options(Random random) {
        Paging paging =
                new Paging(1 + random.nextInt(8), random.nextBoolean(), random.nextBoolean(), random.nextInt(3) * 2);
        Scheduling scheduling =
                new Scheduling(random.nextBoolean(), random.nextInt(3), Duration.ZERO, random.nextBoolean());
        int sequences = 1 + random.nextInt(5);
        return new EngineOptions(sequences, sequences + random.nextInt(8), 300 + random.nextInt(600), 64, Duration.ZERO)
                .with(paging)
                .with(scheduling);
    }

    @Property(tries = 12)
    void submit_anyMix_answersOfEachMergedAlone(@ForAll long seed) {
        Random random = new Random(seed);
        Engine engine = Engine.start(base.causal(), base.tokenizer(), options(random));
        Map<Heard, Wish> kept = new LinkedHashMap<>();
        List<Heard> all = new ArrayList<>();
        for (int i = 0; i < 10; i++) {
            Wish wish = Wish.draw(random);
            Heard heard = new Heard();
            try {
                Engine.Ticket ticket = engine.submit(wish.request(random.nextBoolean() ? "a" : "b"), heard);
                all.add(heard);
                if (random.nextInt(5) == 0) {
                    ticket.cancel();
                } else {
                    kept.put(heard, wish);
                }
            } catch (LoricaException.BadInput e) {
                assertThat(e).hasMessageContaining("can never fit"); // two adapters in the smallest memory
            }
        }
        kept.forEach((heard, wish) ->
                assertThat(heard.answer().text()).as(wish.toString()).isEqualTo(wish.alone()));
        all.forEach(heard -> heard.end.orTimeout(60, TimeUnit.SECONDS).join());
        engine.close();
        EngineStats.Pages pages = engine.stats().pages();
        assertThat(pages.cache()).isEqualTo(pages.kept());
        assertThat(pages.free() + pages.cache() + pages.adapters() + pages.merged())
                .isEqualTo(pages.total());
    }
}
