package io.lorica.server;

import io.lorica.serve.engine.Engine;
import io.lorica.serve.engine.Listener;
import io.lorica.serve.engine.Request;
import io.lorica.serve.store.Lease;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.jspecify.annotations.Nullable;

/**
 * All answers to one request, on their way from the engine's thread to the thread that writes them out. The engine never
 * waits: when more than the allowed number of tokens wait for the writer, all answers are cancelled.
 */
final class Answers implements AutoCloseable {

    /** What came for one of the answers. */
    sealed interface Event {
        int choice();

        record Token(int choice, Listener.Piece piece) implements Event {}

        record Ended(int choice, Listener.End end) implements Event {}
    }

    private final LinkedBlockingQueue<Event> events = new LinkedBlockingQueue<>();
    private final AtomicInteger waiting = new AtomicInteger();
    private final List<Engine.Ticket> tickets = new ArrayList<>();
    private final AtomicInteger open;
    private final Lease lease;
    private final long mostWaiting;
    private final Runnable onOverrun;
    private final Meter meter;
    private volatile boolean cancelled;

    private Answers(Lease lease, Meter meter, int choices, long mostWaiting, Runnable onOverrun) {
        this.lease = lease;
        this.meter = meter;
        this.mostWaiting = mostWaiting;
        this.onOverrun = onOverrun;
        open = new AtomicInteger(choices);
    }

    /**
     * Puts all answers of a job in line.
     *
     * @param lease becomes this object's, which closes it when the last answer has ended
     * @param mostWaiting tokens of each answer that may wait for the writer
     * @param onOverrun runs on the engine's thread when more do
     */
    static Answers start(Engine engine, Lease lease, Meter meter, Job job, int mostWaiting, Runnable onOverrun) {
        Answers answers = new Answers(lease, meter, job.choices(), (long) mostWaiting * job.choices(), onOverrun);
        int submitted = 0;
        try {
            for (; submitted < job.choices(); submitted++) {
                answers.submit(engine, job, submitted);
            }
            return answers;
        } catch (RuntimeException e) {
            answers.close();
            answers.release(job.choices() - submitted);
            throw e;
        }
    }

    private void submit(Engine engine, Job job, int choice) {
        Request request = new Request(
                job.prompt(choice),
                job.sampling(),
                choice % job.n(),
                job.logprobs(),
                lease.blend(),
                meter.tenant().name());
        tickets.add(engine.submit(request, new Listener() {
            @Override
            public void onPiece(Piece piece) {
                meter.token(choice);
                offer(new Event.Token(choice, piece));
            }

            @Override
            public void onEnd(End end) {
                release(1);
                meter.ended(choice, end);
                events.add(new Event.Ended(choice, end));
            }
        }));
    }

    private void offer(Event event) {
        if (cancelled) {
            return;
        }
        if (waiting.incrementAndGet() > mostWaiting) {
            close();
            onOverrun.run();
        } else {
            events.add(event);
        }
    }

    private void release(int answers) {
        if (open.addAndGet(-answers) == 0) {
            lease.close();
        }
    }

    /** The next event, or null when none comes in time. */
    @Nullable
    Event next(Duration patience) throws InterruptedException {
        Event event = events.poll(patience.toNanos(), TimeUnit.NANOSECONDS);
        if (event instanceof Event.Token) {
            waiting.decrementAndGet();
        }
        return event;
    }

    /** Whether an event is there already. */
    boolean ready() {
        return !events.isEmpty();
    }

    /** Cancels what still runs. */
    @Override
    public void close() {
        cancelled = true;
        List.copyOf(tickets).forEach(Engine.Ticket::cancel);
    }
}
