package io.lorica.serve.engine;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.lorica.model.CausalModel;
import io.lorica.model.ModelStore;
import io.lorica.model.Pretrained;
import io.lorica.model.Sampling;
import io.lorica.serve.TinyModels;
import io.lorica.serve.mix.Blend;
import io.lorica.serve.mix.ServedAdapter;
import io.lorica.tensor.DType;
import io.lorica.tensor.LoricaException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/** An engine whose memory is too small for all: who must wait or begin again gets the same answer. */
class EnginePagingTest {
    private static final List<String> PROMPTS = List.of(
            "The", "Once upon a time there was a", "A lorica is", "She said that", "It was a cold and", "In the");
    private static final Sampling HOW = Sampling.greedy(30);

    @SuppressWarnings("NullAway.Init")
    private static Pretrained base;

    private static final List<ServedAdapter> ADAPTERS = new ArrayList<>();

    @BeforeAll
    static void open() {
        base = ModelStore.standard().open("lorica-tiny", DType.F32);
        CausalModel model = base.causal();
        for (int i = 0; i < 3; i++) {
            String settings = "{'r':" + (4 << i) + ",'lora_alpha':32,'target_modules':['q_proj','v_proj','down_proj']}";
            ADAPTERS.add(ServedAdapter.of("a" + i, TinyModels.adapter(model, "lora", settings, i)));
        }
    }

    @AfterAll
    static void close() {
        ADAPTERS.forEach(ServedAdapter::close);
        ADAPTERS.clear();
        base.close();
    }

    /** Every prompt with its own adapter, or none. */
    private static Request request(int index) {
        Blend blend = index % 4 == 3 ? Blend.BASE : Blend.of(ADAPTERS.get(index % 4));
        return new Request(base.tokenizer().encode(PROMPTS.get(index), true), HOW, 0, -1, blend);
    }

    private static List<String> answers(Engine engine, boolean together) {
        List<Heard> heard = new ArrayList<>();
        for (int i = 0; i < PROMPTS.size(); i++) {
            heard.add(new Heard());
            engine.submit(request(i), heard.getLast());
            if (!together) {
                heard.getLast().answer();
            }
        }
        return heard.stream().map(one -> one.answer().text()).toList();
    }

    private static Engine engine(int cacheTokens, boolean overcommit) {
        return engine(cacheTokens, overcommit, false);
    }

    private static Engine engine(int cacheTokens, boolean overcommit, boolean prefixes) {
        EngineOptions options = new EngineOptions(6, 12, cacheTokens, 64, Duration.ZERO)
                .with(new EngineOptions.Paging(4, overcommit, prefixes, 0));
        return Engine.start(base.causal(), base.tokenizer(), options);
    }

    /** Smallest memory in which each request alone can run. */
    private static int smallest() {
        int tokens = 64;
        while (true) {
            try (Engine engine = engine(tokens, true)) {
                IntStream.range(0, PROMPTS.size())
                        .forEach(i -> engine.submit(request(i), new Heard()).cancel());
                return tokens;
            } catch (LoricaException.BadInput _) {
                tokens += 16;
            }
        }
    }

    @Test
    void submit_memoryTooSmallForAll_preemptsAndAnswersTheSame() {
        List<String> alone;
        try (Engine engine = engine(8192, false)) {
            alone = answers(engine, false);
            assertThat(engine.stats().preemptions()).isZero();
        }
        assertThat(alone).doesNotHaveDuplicates();
        try (Engine engine = engine(smallest() + 32, true)) {
            assertThat(answers(engine, true)).isEqualTo(alone);
            assertThat(engine.stats().preemptions()).isPositive();
        }
    }

    @Test
    void submit_withoutOvercommitment_waitsAndAnswersTheSame() {
        List<String> alone;
        try (Engine engine = engine(8192, false)) {
            alone = answers(engine, false);
        }
        try (Engine engine = engine(smallest(), false)) {
            assertThat(answers(engine, true)).isEqualTo(alone);
        }
    }

    @Test
    void stats_afterTheLast_onlyIdleAdaptersHoldPages() {
        Engine engine = engine(8192, true);
        answers(engine, true);
        engine.close();
        EngineStats.Pages pages = engine.stats().pages();
        assertThat(pages.cache()).isZero();
        assertThat(pages.adapters()).isPositive();
        assertThat(pages.free() + pages.adapters()).isEqualTo(pages.total());
    }

    /** The second time, only what fills no page is read again; each adapter has its own pages. */
    @Test
    void submit_sameBeginning_isTakenOverForTheSameAdapterOnly() {
        long[] prompt = base.tokenizer().encode("Once upon a time there was a little dog", true);
        Request own = new Request(prompt, HOW, 0, -1, Blend.of(ADAPTERS.get(0)));
        Request other = new Request(prompt, HOW, 0, -1, Blend.of(ADAPTERS.get(1)));
        List<String> alone = new ArrayList<>();
        try (Engine engine = engine(8192, false, false)) {
            alone.add(answer(engine, own));
            alone.add(answer(engine, other));
            assertThat(engine.stats().prefixTokens()).isZero();
        }
        try (Engine engine = engine(8192, false, true)) {
            assertThat(answer(engine, own)).isEqualTo(alone.get(0));
            assertThat(engine.stats().prefixTokens()).isZero();
            assertThat(answer(engine, other)).isEqualTo(alone.get(1));
            assertThat(engine.stats().prefixTokens()).isZero();
            assertThat(answer(engine, own)).isEqualTo(alone.get(0));
            assertThat(engine.stats().prefixTokens()).isPositive().isLessThan(prompt.length);
        }
    }

    private static String answer(Engine engine, Request request) {
        Heard heard = new Heard();
        engine.submit(request, heard);
        return heard.answer().text();
    }

    @Test
    void submit_prefixesInSmallMemory_answersTheSame() {
        List<String> alone;
        try (Engine engine = engine(8192, false, false)) {
            alone = answers(engine, false);
        }
        Engine engine = engine(smallest() + 128, true, true);
        assertThat(answers(engine, true)).isEqualTo(alone);
        assertThat(answers(engine, true)).isEqualTo(alone);
        engine.close();
        EngineStats stats = engine.stats();
        assertThat(stats.prefixTokens()).isPositive();
        assertThat(stats.pages().cache()).isEqualTo(stats.pages().kept());
    }

    /** One adapter alone is merged after three passes, and a request for another ends that; nobody's answer changes. */
    @Test
    void submit_oneAdapterForLong_isMergedUntilOthersCome() {
        List<String> alone;
        try (Engine engine = engine(8192, false)) {
            alone = answers(engine, false);
        }
        EngineOptions options =
                new EngineOptions(6, 12, 16384, 64, Duration.ZERO).with(new EngineOptions.Paging(4, false, false, 3));
        try (Engine engine = Engine.start(base.causal(), base.tokenizer(), options)) {
            List<Integer> merged = new ArrayList<>();
            Heard first = new Heard() {
                @Override
                public void onPiece(Piece piece) {
                    super.onPiece(piece);
                    merged.add(engine.stats().pages().merged());
                }
            };
            engine.submit(request(0), first);
            assertThat(first.answer().text()).isEqualTo(alone.get(0));
            assertThat(merged.getFirst()).isZero();
            assertThat(merged.getLast()).isPositive();
            assertThat(answers(engine, true)).isEqualTo(alone);
            assertThat(answer(engine, request(3))).isEqualTo(alone.get(3));
            assertThat(engine.stats().pages().merged()).isZero();
        }
    }

    @Test
    void submit_adapterThatCanNeverFit_isRefused() {
        try (Engine engine = engine(8, true)) {
            assertThatThrownBy(() -> engine.submit(request(2), new Heard()))
                    .isInstanceOf(LoricaException.BadInput.class)
                    .hasMessageContaining("adapters");
        }
    }
}
