package io.lorica.serve.engine;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.data.Offset.offset;

import io.lorica.model.CausalModel;
import io.lorica.model.Generation;
import io.lorica.model.ModelStore;
import io.lorica.model.Pretrained;
import io.lorica.model.Sampling;
import io.lorica.model.TextGenerator;
import io.lorica.serve.TinyModels;
import io.lorica.serve.mix.Blend;
import io.lorica.serve.mix.ServedAdapter;
import io.lorica.tensor.DType;
import io.lorica.tensor.LoricaException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import jdk.jfr.Recording;
import jdk.jfr.consumer.RecordedEvent;
import jdk.jfr.consumer.RecordingFile;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

class EngineTest {
    private static final EngineOptions OPTIONS = new EngineOptions(4, 12, 4096, 64, Duration.ZERO);
    private static final List<String> PROMPTS =
            List.of("The", "Once upon a time there was", "A lorica is", "She said that", "It was a cold and", "In the");

    @SuppressWarnings("NullAway.Init")
    private static Pretrained base;

    @BeforeAll
    static void open() {
        base = ModelStore.standard().open("lorica-tiny", DType.F32);
    }

    @AfterAll
    static void close() {
        base.close();
    }

    private static Engine engine(EngineOptions options) {
        return Engine.start(base.causal(), base.tokenizer(), options);
    }

    private static Request request(String prompt, Sampling sampling) {
        return new Request(base.tokenizer().encode(prompt, true), sampling, 0, -1, Blend.BASE);
    }

    private static Heard submit(Engine engine, Request request) {
        Heard heard = new Heard();
        engine.submit(request, heard);
        return heard;
    }

    /** Holds the engine up at the first token until it may go on. */
    private static final class Holding extends Heard {
        final CompletableFuture<Boolean> go = new CompletableFuture<>();

        @Override
        public void onPiece(Piece piece) {
            super.onPiece(piece);
            go.join();
        }
    }

    /** More requests than fit side by side, prompts longer than a step: each answer is what it would be alone. */
    @Test
    void submit_manyRequests_answersOfEachAlone() {
        Sampling how = Sampling.greedy(24);
        List<String> alone = PROMPTS.stream()
                .map(prompt -> TextGenerator.generate(
                                base.causal(),
                                base.tokenizer(),
                                base.tokenizer().encode(prompt, true),
                                how,
                                _ -> {})
                        .text())
                .toList();
        try (Engine engine = engine(OPTIONS)) {
            List<Heard> heard = PROMPTS.stream()
                    .map(prompt -> submit(engine, request(prompt, how)))
                    .toList();
            assertThat(heard.stream().map(one -> one.answer().text()).toList()).isEqualTo(alone);
            assertThat(heard.stream().map(Heard::text).toList()).isEqualTo(alone);
        }
    }

    @Test
    void submit_sameSeed_sameAnswerWhoeverElseRuns() {
        Sampling how = Sampling.greedy(20).withTemperature(1).withSeed(7);
        try (Engine engine = engine(OPTIONS)) {
            String first = submit(engine, request("The", how)).answer().text();
            List<Heard> others = PROMPTS.stream()
                    .map(prompt -> submit(engine, request(prompt, Sampling.greedy(10))))
                    .toList();
            assertThat(submit(engine, request("The", how)).answer().text()).isEqualTo(first);
            others.forEach(Heard::answer);
            Request second = new Request(base.tokenizer().encode("The", true), how, 1, -1, Blend.BASE);
            assertThat(submit(engine, second).answer().text()).isNotEqualTo(first);
        }
    }

    @Test
    void submit_stopText_endsBeforeIt() {
        try (Engine engine = engine(OPTIONS)) {
            String whole =
                    submit(engine, request("The", Sampling.greedy(30))).answer().text();
            String stop = whole.substring(10, 14);
            Generation cut = submit(engine, request("The", Sampling.greedy(30).withStop(List.of(stop))))
                    .answer();
            assertThat(cut.text()).isEqualTo(whole.substring(0, whole.indexOf(stop)));
            assertThat(cut.finishReason()).isEqualTo(Generation.FinishReason.STOP);
        }
    }

    @Test
    void submit_logprobs_areNormalisedAndGreedyTakesTheFirst() {
        try (Engine engine = engine(OPTIONS)) {
            int vocabulary = base.causal().vocabularySize();
            Request all =
                    new Request(base.tokenizer().encode("The", true), Sampling.greedy(3), 0, vocabulary, Blend.BASE);
            Heard heard = submit(engine, all);
            heard.answer();
            for (Listener.Piece piece : heard.pieces) {
                Listener.Logprobs logprobs = Objects.requireNonNull(piece.logprobs());
                double sum = logprobs.top().stream()
                        .mapToDouble(one -> Math.exp(one.logprob()))
                        .sum();
                assertThat(sum).isCloseTo(1, offset(1e-6));
                assertThat(logprobs.top().getFirst().token()).isEqualTo(piece.token());
                assertThat(logprobs.logprob())
                        .isEqualTo(logprobs.top().getFirst().logprob());
            }
        }
    }

    @Test
    void cancel_whileRunning_endsAndFreesItsPlace() {
        try (Engine engine = engine(new EngineOptions(1, 8, 4096, 8, Duration.ZERO))) {
            Heard heard = new Heard();
            Engine.Ticket ticket = engine.submit(request("The", Sampling.greedy(400)), heard);
            heard.first.orTimeout(60, TimeUnit.SECONDS).join();
            ticket.cancel();
            assertThat(heard.end.orTimeout(60, TimeUnit.SECONDS).join())
                    .isInstanceOfSatisfying(
                            Listener.End.Cancelled.class,
                            end -> assertThat(end.tokens()).isBetween(1, 399));
            assertThat(submit(engine, request("The", Sampling.greedy(3)))
                            .answer()
                            .tokens())
                    .hasSize(3);
        }
    }

    @Test
    void submit_adapters_eachAnswerHasItsOwn() {
        CausalModel model = base.causal();
        String settings = "{'r':4,'lora_alpha':32,'target_modules':['q_proj','v_proj','down_proj']}";
        try (ServedAdapter left = ServedAdapter.of("left", TinyModels.adapter(model, "lora", settings, 1));
                ServedAdapter right = ServedAdapter.of("right", TinyModels.adapter(model, "lora", settings, 2));
                Engine engine = engine(OPTIONS)) {
            List<Blend> blends = List.of(Blend.BASE, Blend.of(left), Blend.of(right));
            long[] prompt = base.tokenizer().encode("Once upon a time", true);
            List<String> alone = new ArrayList<>();
            for (Blend blend : blends) {
                alone.add(submit(engine, new Request(prompt, Sampling.greedy(16), 0, -1, blend))
                        .answer()
                        .text());
            }
            assertThat(alone).doesNotHaveDuplicates();
            List<Heard> together = new ArrayList<>();
            for (int i = 0; i < 9; i++) {
                together.add(submit(engine, new Request(prompt, Sampling.greedy(16), 0, -1, blends.get(i % 3))));
            }
            for (int i = 0; i < 9; i++) {
                assertThat(together.get(i).answer().text()).isEqualTo(alone.get(i % 3));
            }
        }
    }

    /** Whoever has an answer finds it counted, though the engine's step is not over yet. */
    @Test
    void stats_whenAnAnswerEnds_countItsTokens() {
        try (Engine engine = engine(OPTIONS)) {
            CompletableFuture<EngineStats> atTheEnd = new CompletableFuture<>();
            Heard heard = new Heard() {
                @Override
                public void onEnd(End how) {
                    atTheEnd.complete(engine.stats());
                    super.onEnd(how);
                }
            };
            engine.submit(request("The", Sampling.greedy(3)), heard);
            assertThat(heard.answer().tokens()).hasSize((int) atTheEnd.join().generatedTokens());
            assertThat(atTheEnd.join().running()).isZero();
        }
    }

    @Test
    void submit_moreThanTheCacheHolds_isRefused() {
        try (Engine engine = engine(new EngineOptions(2, 8, 20, 8, Duration.ZERO))) {
            assertThatThrownBy(() -> submit(engine, request("The", Sampling.greedy(100))))
                    .isInstanceOf(LoricaException.BadInput.class)
                    .hasMessageContaining("cache of 32 tokens");
        }
    }

    @Test
    void submit_queueFull_isBusy() {
        try (Engine engine = engine(new EngineOptions(1, 8, 4096, 1, Duration.ZERO))) {
            List<Heard> heard = new ArrayList<>();
            assertThatThrownBy(() -> {
                        for (int i = 0; i < 10; i++) {
                            heard.add(submit(engine, request("The", Sampling.greedy(100))));
                        }
                    })
                    .isInstanceOf(LoricaException.Busy.class);
            heard.forEach(Heard::answer);
        }
    }

    /** The engine is held up by the first request's listener, so that it cannot clear the line meanwhile. */
    @Test
    void submit_queueFullOfThoseWhoGaveUp_takesTheNext() {
        try (Engine engine = engine(new EngineOptions(1, 8, 4096, 1, Duration.ZERO))) {
            Holding first = new Holding();
            engine.submit(request("The", Sampling.greedy(2)), first);
            first.first.orTimeout(60, TimeUnit.SECONDS).join();
            engine.submit(request("The", Sampling.greedy(2)), new Heard()).cancel();
            Heard next = submit(engine, request("The", Sampling.greedy(2)));
            first.go.complete(true);
            next.answer();
            first.answer();
        }
    }

    /** The engine is held up by the first request's listener, for longer than the second may wait. */
    @Test
    void submit_waitedTooLong_isAbortedAsBusy() {
        Duration patience = Duration.ofMillis(800);
        try (Engine engine = engine(new EngineOptions(1, 8, 4096, 8, patience))) {
            Holding first = new Holding();
            engine.submit(request("The", Sampling.greedy(2)), first);
            first.first.orTimeout(60, TimeUnit.SECONDS).join();
            Heard second = submit(engine, request("The", Sampling.greedy(2)));
            first.go.completeOnTimeout(true, patience.toMillis() + 50, TimeUnit.MILLISECONDS);
            assertThat(second.end.orTimeout(60, TimeUnit.SECONDS).join())
                    .isInstanceOfSatisfying(
                            Listener.End.Failed.class,
                            end -> assertThat(end.error()).isInstanceOf(LoricaException.Busy.class));
            first.answer();
        }
    }

    /** Somebody who asks once does not wait for all that somebody else has asked before. */
    @Test
    void submit_twoTenants_takesThemInTurn() {
        List<String> ended = Collections.synchronizedList(new ArrayList<>());
        try (Engine engine = engine(new EngineOptions(1, 8, 4096, 64, Duration.ZERO))) {
            for (String tenant : List.of("a", "a", "a", "a", "a", "b")) {
                Request plain = request("The", Sampling.greedy(10));
                Request owned = new Request(plain.prompt(), plain.sampling(), 0, -1, Blend.BASE, tenant);
                engine.submit(owned, new Heard() {
                    @Override
                    public void onEnd(End how) {
                        ended.add(tenant);
                        super.onEnd(how);
                    }
                });
            }
        }
        assertThat(ended.indexOf("b")).isBetween(0, 3);
    }

    @Test
    void submit_recorded_leavesEventsOfEachPhase() throws IOException {
        Path file = Files.createTempFile("lorica", ".jfr");
        try (Recording recording = new Recording();
                Engine engine = engine(OPTIONS)) {
            recording.start();
            Request plain = request("Once upon a time", Sampling.greedy(5));
            Heard heard = submit(engine, new Request(plain.prompt(), plain.sampling(), 0, -1, Blend.BASE, "somebody"));
            int tokens = heard.answer().tokens().length;
            recording.stop();
            recording.dump(file);
            List<RecordedEvent> events = RecordingFile.readAllEvents(file).stream()
                    .filter(event -> event.getEventType().getName().startsWith("lorica."))
                    .toList();
            assertThat(events)
                    .extracting(event -> event.getEventType().getName())
                    .contains("lorica.Queue", "lorica.Prefill", "lorica.Decode");
            assertThat(events)
                    .allSatisfy(event -> assertThat(event.getString("tenant")).isEqualTo("somebody"));
            assertThat(events)
                    .filteredOn(event -> event.hasField("generatedTokens"))
                    .singleElement()
                    .satisfies(
                            event -> assertThat(event.getInt("generatedTokens")).isEqualTo(tokens));
        } finally {
            Files.delete(file);
        }
    }

    @Test
    void close_requestsRunning_finishesThem() {
        Heard heard;
        try (Engine engine = engine(OPTIONS)) {
            heard = submit(engine, request("The", Sampling.greedy(40)));
        }
        assertThat(heard.end).isCompleted();
        assertThat(heard.answer().tokens().length).isPositive();
    }
}
