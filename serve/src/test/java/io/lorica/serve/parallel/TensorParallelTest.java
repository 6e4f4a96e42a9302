package io.lorica.serve.parallel;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.lorica.model.ModelStore;
import io.lorica.model.Pretrained;
import io.lorica.model.Sampling;
import io.lorica.serve.TinyModels;
import io.lorica.serve.engine.Engine;
import io.lorica.serve.engine.EngineOptions;
import io.lorica.serve.engine.Listener;
import io.lorica.serve.engine.Request;
import io.lorica.serve.mix.Blend;
import io.lorica.serve.mix.ServedAdapter;
import io.lorica.tensor.DType;
import io.lorica.tensor.LoricaException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/** An engine on two processes. */
class TensorParallelTest {
    private static final EngineOptions OPTIONS = new EngineOptions(8, 24, 2048, 64, Duration.ZERO);
    private static final List<String[]> KINDS = List.of(
            new String[] {"lora", "{'r':3,'lora_alpha':8,'target_modules':['q_proj','v_proj','o_proj','down_proj']}"},
            new String[] {"lora", "{'r':16,'lora_alpha':32,'target_modules':['k_proj','up_proj','gate_proj']}"},
            new String[] {"dora", "{'r':2,'lora_alpha':4,'target_modules':['q_proj','o_proj']}"});

    @SuppressWarnings("NullAway.Init")
    private static Pretrained base;

    private static final List<ServedAdapter> ADAPTERS = new ArrayList<>();

    @BeforeAll
    static void open() {
        base = ModelStore.standard().open("lorica-tiny", DType.F32);
        for (int i = 0; i < KINDS.size(); i++) {
            String[] kind = KINDS.get(i);
            ADAPTERS.add(ServedAdapter.of("a" + i, TinyModels.adapter(base.causal(), kind[0], kind[1], i)));
        }
    }

    @AfterAll
    static void close() {
        ADAPTERS.forEach(ServedAdapter::close);
        base.close();
    }

    private record Heard(List<Listener.Piece> pieces, CompletableFuture<Listener.End> end) implements Listener {
        Heard() {
            this(new ArrayList<>(), new CompletableFuture<>());
        }

        @Override
        public void onPiece(Piece piece) {
            pieces.add(piece);
        }

        @Override
        public void onEnd(End how) {
            end.complete(how);
        }

        Listener.End await() {
            return end.orTimeout(60, TimeUnit.SECONDS).join();
        }

        List<Double> logprobs() {
            assertThat(await()).isInstanceOf(End.Finished.class);
            return pieces.stream()
                    .map(piece -> Objects.requireNonNull(piece.logprobs()).logprob())
                    .toList();
        }
    }

    private static Heard ask(Engine engine, String prompt, int tokens, Blend blend) {
        Heard heard = new Heard();
        long[] ids = base.tokenizer().encode(prompt, true);
        engine.submit(new Request(ids, Sampling.greedy(tokens), 0, 0, blend), heard);
        return heard;
    }

    /** Prompts that share a beginning, alone and with adapters, more than one pass takes. */
    private static List<Heard> askAll(Engine engine) {
        List<Heard> all = new ArrayList<>();
        for (String prompt : List.of("Once upon a time there was a little", "Once upon a time there was", "She")) {
            all.add(ask(engine, prompt, 12, Blend.BASE));
            ADAPTERS.forEach(adapter -> all.add(ask(engine, prompt, 12, Blend.of(adapter))));
            all.add(ask(
                    engine,
                    prompt,
                    12,
                    new Blend(List.of(new Blend.Part(ADAPTERS.get(0), 0.7), new Blend.Part(ADAPTERS.get(2), 0.5)))));
        }
        return all;
    }

    @Test
    void submit_mixOfAdaptersOnTwoProcesses_logProbabilitiesOfOne() {
        List<List<Double>> expected;
        try (Engine engine = Engine.start(base.causal(), base.tokenizer(), OPTIONS)) {
            expected = askAll(engine).stream().map(Heard::logprobs).toList();
        }
        TensorParallel crew = TensorParallel.start(base, 2, () -> {});
        try (Engine engine = Engine.start(crew, base.tokenizer(), OPTIONS)) {
            List<List<Double>> actual =
                    askAll(engine).stream().map(Heard::logprobs).toList();
            assertThat(actual)
                    .usingRecursiveComparison()
                    .withComparatorForType((a, b) -> Math.abs(a - b) <= 1e-5 ? 0 : 1, Double.class)
                    .isEqualTo(expected);
        }
        assertThat(crew.processes())
                .allSatisfy(pid -> assertThat(ProcessHandle.of(pid)).isEmpty());
    }

    @Test
    void submit_rankKilled_requestFailsAndSaysWhy() throws InterruptedException {
        CountDownLatch lost = new CountDownLatch(1);
        TensorParallel crew = TensorParallel.start(base, 2, lost::countDown);
        try (Engine engine = Engine.start(crew, base.tokenizer(), OPTIONS)) {
            Heard heard = ask(engine, "Once upon a time", 200, Blend.BASE);
            crew.processes().forEach(pid -> ProcessHandle.of(pid).ifPresent(ProcessHandle::destroyForcibly));
            assertThat(heard.await())
                    .isInstanceOfSatisfying(
                            Listener.End.Failed.class,
                            failed -> assertThat(failed.error()).hasMessageContaining("start the server again"));
            assertThat(lost.await(20, TimeUnit.SECONDS)).isTrue();
            assertThatThrownBy(() -> ask(engine, "She", 1, Blend.BASE))
                    .isInstanceOf(LoricaException.Internal.class)
                    .hasMessageContaining("rank 1 of tensor parallelism has ended");
        }
    }

    @Test
    void start_moreRanksThanKeyHeads_refusedBeforeAnyProcess() {
        assertThatThrownBy(() -> TensorParallel.start(base, 1000, () -> {}))
                .isInstanceOf(LoricaException.BadInput.class)
                .hasMessageContaining("key heads");
    }
}
