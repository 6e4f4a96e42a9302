package io.lorica.server;

import static org.assertj.core.api.Assertions.assertThat;

import io.lorica.model.ModelStore;
import io.lorica.model.Pretrained;
import io.lorica.model.Sampling;
import io.lorica.serve.engine.Engine;
import io.lorica.serve.store.AdapterStore;
import io.lorica.serve.store.BlendSpec;
import io.lorica.server.access.Keys;
import io.lorica.server.access.Tenant;
import io.lorica.tensor.DType;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;

/** Between the engine and a client who does not keep up. */
class AnswersTest {

    @Test
    void start_nobodyReads_isCancelledAndOthersGoOn() throws Exception {
        try (Pretrained base = ModelStore.standard().open("lorica-tiny", DType.F32);
                AdapterStore store = new AdapterStore(base.model(), 1 << 20);
                Engine engine = Engine.start(base.causal(), base.tokenizer(), TestServer.ENGINE)) {
            Served served = new Served("lorica-tiny", store);
            long[] prompt = base.tokenizer().encode("Once upon a time", true);
            Job job =
                    new Job("lorica-tiny", List.of(prompt), 2, Sampling.greedy(400), true, -1, List.of(), true, false);
            CountDownLatch overrun = new CountDownLatch(1);
            Tenant tenant = Keys.none().caller(Optional.empty());
            BlendSpec spec = served.spec("lorica-tiny", tenant);
            Meter meter = new Meter(new Metrics(store), tenant, job, Set.of());
            Answers unread = Answers.start(engine, store.acquire(spec), meter, job, 3, overrun::countDown);
            Answers read = Answers.start(engine, store.acquire(spec), meter, job, 1000, () -> {});

            assertThat(overrun.await(60, TimeUnit.SECONDS)).isTrue();
            int ended = 0;
            int tokens = 0;
            while (ended < 2) {
                Answers.Event event = read.next(Duration.ofSeconds(60));
                ended += event instanceof Answers.Event.Ended ? 1 : 0;
                tokens += event instanceof Answers.Event.Token ? 1 : 0;
            }
            assertThat(tokens).isGreaterThan(100);
            // six tokens of both answers waited, the seventh was too many
            int waiting = 0;
            while (unread.next(Duration.ZERO) instanceof Answers.Event.Token) {
                waiting++;
            }
            assertThat(waiting).isEqualTo(6);
        }
    }
}
