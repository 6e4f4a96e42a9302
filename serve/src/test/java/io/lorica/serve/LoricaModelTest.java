package io.lorica.serve;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.lorica.adapter.Adapter;
import io.lorica.adapter.AdapterStack;
import io.lorica.model.CausalModel;
import io.lorica.model.Generation;
import io.lorica.model.Message;
import io.lorica.model.ModelStore;
import io.lorica.model.Pretrained;
import io.lorica.model.Sampling;
import io.lorica.model.TextGenerator;
import io.lorica.model.WeightFormat;
import io.lorica.serve.engine.EngineOptions;
import io.lorica.serve.engine.Listener;
import io.lorica.tensor.DType;
import io.lorica.tensor.LoricaException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class LoricaModelTest {
    private static final Sampling HOW = Sampling.greedy(12);
    private static final String PROMPT = "Once upon a time";

    @TempDir
    @SuppressWarnings("NullAway.Init")
    private static Path directory;

    @SuppressWarnings("NullAway.Init")
    private static LoricaModel base;

    @BeforeAll
    static void open() {
        Pretrained pretrained = ModelStore.standard().open("lorica-tiny", DType.F32);
        for (int i = 0; i < 2; i++) {
            save(pretrained.causal(), "a" + i, i);
        }
        base = LoricaModel.open(pretrained, 1 << 24, EngineOptions.DEFAULT);
        base.adapters().addAll(directory);
    }

    private static void save(CausalModel model, String name, long seed) {
        String settings = "{'r':4,'lora_alpha':32,'target_modules':['q_proj','v_proj','down_proj']}";
        try (Adapter adapter = TinyModels.adapter(model, "lora", settings, seed)) {
            adapter.save(directory.resolve(name));
        }
    }

    @AfterAll
    static void close() {
        base.close();
    }

    private static String text(LoricaModel model) {
        return model.generate(PROMPT, HOW).text();
    }

    @Test
    void generate_base_isWhatTheModelSaysAlone() {
        try (Pretrained alone = ModelStore.standard().open("lorica-tiny", DType.F32)) {
            long[] prompt = alone.tokenizer().encode(PROMPT, true);
            Generation wanted = TextGenerator.generate(alone.causal(), alone.tokenizer(), prompt, HOW, _ -> {});
            assertThat(text(base)).isEqualTo(wanted.text());
        }
    }

    @Test
    void generate_manyThreads_eachHasItsAdapter() throws InterruptedException, ExecutionException {
        List<LoricaModel> models = List.of(base, base.adapter("a0"), base.adapter("a1"), base.adapter("a0:0.5+a1:0.5"));
        List<String> alone = models.stream().map(LoricaModelTest::text).toList();
        assertThat(alone).doesNotHaveDuplicates();
        try (ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor()) {
            List<Future<String>> together = new ArrayList<>();
            for (int i = 0; i < 12; i++) {
                LoricaModel model = models.get(i % 4);
                together.add(threads.submit(() -> text(model)));
            }
            for (int i = 0; i < 12; i++) {
                assertThat(together.get(i).get()).isEqualTo(alone.get(i % 4));
            }
        }
    }

    /**
     * Adapters are read while others are answered, DoRA's from the quantized weights themselves. With these seeds and this
     * prompt every chosen token leads by 0.15 or more, so that who shares a batch with whom cannot decide any by rounding.
     */
    @Test
    void generate_quantizedBaseManyThreads_eachHasItsAdapter() throws InterruptedException, ExecutionException {
        Pretrained int8 = ModelStore.standard().open("lorica-tiny", DType.F32, WeightFormat.INT8);
        String settings = "{'r':4,'lora_alpha':16,'target_modules':['q_proj','v_proj','down_proj']}";
        List<String> kinds = List.of("dora", "lora");
        for (String kind : kinds) {
            try (Adapter adapter = TinyModels.adapter(int8.causal(), kind, settings, 5)) {
                adapter.save(directory.resolve(kind));
            }
        }
        try (LoricaModel shared = LoricaModel.open(int8, 1 << 24, EngineOptions.DEFAULT)) {
            for (int i = 0; i < 12; i++) {
                shared.adapters().add("b" + i, directory.resolve(kinds.get(i % 2)));
            }
            List<String> together = new ArrayList<>();
            try (ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor()) {
                List<Future<String>> asked = new ArrayList<>();
                for (int i = 0; i < 12; i++) {
                    LoricaModel model = shared.adapter("b" + i);
                    asked.add(threads.submit(() -> beginning(model)));
                }
                for (Future<String> one : asked) {
                    together.add(one.get());
                }
            }
            for (int i = 0; i < 12; i++) {
                assertThat(together.get(i)).isEqualTo(beginning(shared.adapter("b" + i % 2)));
            }
        }
    }

    private static String beginning(LoricaModel model) {
        return model.generate("In the beginning", HOW).text();
    }

    /** Each token of a routed adapter goes to experts of its own, whoever shares the batch; mm-lora's are all of language. */
    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '"',
            value = {
                "mola | 'lora_alpha':16,'number_experts':3",
                "mixlora | 'lora_alpha':16,'num_experts':3",
                "mm-lora | 'beta':0.25"
            })
    void generate_otherMethodBesideLora_isWhatItSaysAlone(String method, String more)
            throws InterruptedException, ExecutionException {
        String wanted;
        try (Pretrained alone = ModelStore.standard().open("lorica-tiny", DType.F32);
                AdapterStack stack = new AdapterStack(alone.model())) {
            String settings = "{'r':4," + more + ",'target_modules':['q_proj','gate_proj','down_proj']}";
            stack.add(method, TinyModels.adapter(alone.causal(), method, settings, 3))
                    .activate(method);
            stack.adapter(method).save(directory.resolve(method));
            long[] prompt = alone.tokenizer().encode(PROMPT, true);
            wanted = TextGenerator.generate(alone.causal(), alone.tokenizer(), prompt, HOW, _ -> {})
                    .text();
        }
        base.adapters().add(method, directory.resolve(method));
        List<LoricaModel> models = List.of(base.adapter("a0"), base.adapter(method), base, base.adapter(method));
        try (ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor()) {
            List<Future<String>> together = new ArrayList<>();
            models.forEach(model -> together.add(threads.submit(() -> text(model))));
            assertThat(together.get(1).get())
                    .isEqualTo(wanted)
                    .isNotEqualTo(together.get(0).get());
            assertThat(together.get(3).get())
                    .isEqualTo(wanted)
                    .isNotEqualTo(together.get(2).get());
        }
    }

    @Test
    void put_underTheCaller_nextAnswerHasTheNewWeights() {
        base.adapters().add("swapped", directory.resolve("a0"));
        LoricaModel model = base.adapter("swapped");
        assertThat(text(model)).isEqualTo(text(base.adapter("a0")));
        base.adapters().put("swapped", directory.resolve("a1"));
        assertThat(text(model)).isEqualTo(text(base.adapter("a1")));
        base.adapters().remove("swapped");
        assertThatThrownBy(() -> text(model)).isInstanceOf(LoricaException.NotFound.class);
    }

    @Test
    void generate_listener_hearsTheWholeText() {
        StringBuilder text = new StringBuilder();
        CompletableFuture<Listener.End> end = new CompletableFuture<>();
        base.adapter("a1").generate(PROMPT, HOW, new Listener() {
            @Override
            public void onPiece(Piece piece) {
                text.append(piece.text());
            }

            @Override
            public void onEnd(End how) {
                end.complete(how);
            }
        });
        assertThat(end.orTimeout(60, TimeUnit.SECONDS).join()).isInstanceOf(Listener.End.Finished.class);
        assertThat(text.toString()).isEqualTo(text(base.adapter("a1")));
    }

    @Test
    void generate_threadInterrupted_givesUp() {
        Thread.currentThread().interrupt();
        assertThatThrownBy(() -> base.generate(PROMPT, Sampling.greedy(200))).isInstanceOf(LoricaException.Busy.class);
        assertThat(Thread.interrupted()).isTrue();
    }

    @Test
    void chat_conversation_isWrittenAsTheTemplateHasIt() {
        List<Message> turns = List.of(new Message("user", "Hello"));
        try (Pretrained alone = ModelStore.standard().open("lorica-tiny", DType.F32)) {
            String text = alone.tokenizer().chatTemplate().orElseThrow().render(turns, true);
            long[] prompt = alone.tokenizer().encode(text, false);
            Generation wanted = TextGenerator.generate(alone.causal(), alone.tokenizer(), prompt, HOW, _ -> {});
            assertThat(base.chat(turns, HOW).text()).isEqualTo(wanted.text());
        }
    }

    @Test
    void adapter_nameThatIsNone_isRefused() {
        assertThatThrownBy(() -> base.adapter("../a0")).isInstanceOf(LoricaException.BadInput.class);
    }
}
