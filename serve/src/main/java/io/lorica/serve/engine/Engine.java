package io.lorica.serve.engine;

import io.lorica.model.CausalModel;
import io.lorica.model.Tokenizer;
import io.lorica.serve.mix.ServedAdapter;
import io.lorica.tensor.Grad;
import io.lorica.tensor.LoricaException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;

/**
 * Generates for many requests at once, each with its own adapters, on one frozen base.
 *
 * <p>One platform thread owns the model (native calls would pin virtual threads). Before every forward pass it lets
 * requests in, in the order of {@link Scheduler}, as long as there is room ({@link EngineMemory}); every pass then takes one token
 * of each running answer and fills up with pieces of prompts (continuous batching with chunked prefill). When memory runs
 * out all the same, whoever came last goes back to the front of the line with the tokens he has, and is computed again.
 */
public final class Engine implements AutoCloseable {

    /** A request under way. */
    public interface Ticket {
        /** Gives it up: its memory is free before the next token, and its listener is told. */
        void cancel();
    }

    private final CausalModel model;
    private final Crew crew;
    private final Tokenizer tokenizer;
    private final EngineOptions options;
    private final Queue queue;
    private final Thread thread;
    private final EngineMemory memory;
    private final Scheduler scheduler;
    private final Duration deadline;
    private final List<Running> running = new ArrayList<>();
    private final Step.Buffers buffers = new Step.Buffers();
    private long preemptions;
    private long promptTokens;
    private long generatedTokens;
    private long steps;
    private volatile EngineStats stats;

    private Engine(Crew crew, Tokenizer tokenizer, EngineOptions options) {
        this.crew = crew;
        model = crew.model();
        this.tokenizer = tokenizer;
        this.options = options;
        queue = new Queue(options.maxQueue());
        memory = new EngineMemory(crew, options);
        scheduler = new Scheduler(options.scheduling());
        deadline = Scheduler.deadline(options);
        stats = new EngineStats(0, 0, 0, options.cacheTokens(), 0, 0, 0, 0, 0, memory.pages());
        thread = Thread.ofPlatform().name("lorica-engine").unstarted(this::loop);
    }

    /** Takes the model over until the engine is closed; nobody else may use it meanwhile. */
    public static Engine start(CausalModel model, Tokenizer tokenizer, EngineOptions options) {
        return start(Crew.alone(model), tokenizer, options);
    }

    /** The same with whoever computes the passes; closed with the engine. */
    public static Engine start(Crew crew, Tokenizer tokenizer, EngineOptions options) {
        Engine engine = new Engine(crew, tokenizer, options);
        engine.memory.attach(crew);
        engine.thread.start();
        return engine;
    }

    /**
     * Puts a request in line. The listener hears of it until it ends.
     *
     * @throws LoricaException.BadInput where the prompt is empty, too long, or holds ids that the model lacks
     * @throws LoricaException.Busy where too many wait already, or the engine is closing
     */
    public Ticket submit(Request request, Listener listener) {
        int limit = limit(request);
        crew.prepare(request.blend());
        Running entry = new Running(request, listener, tokenizer, limit);
        queue.add(entry);
        return entry;
    }

    /** Whether its thread runs; it ends before {@link #close} only by an error that no request can be blamed for. */
    public boolean alive() {
        return thread.isAlive();
    }

    public EngineStats stats() {
        EngineStats last = stats;
        return new EngineStats(
                queue.size(),
                last.running(),
                last.cachedTokens(),
                last.cacheTokens(),
                last.promptTokens(),
                last.prefixTokens(),
                last.generatedTokens(),
                last.steps(),
                last.preemptions(),
                last.pages());
    }

    private int limit(Request request) {
        long[] prompt = request.prompt();
        if (prompt.length == 0) {
            throw new LoricaException.BadInput(
                    "the prompt has no tokens; give it text, or the model's first token (bos)");
        }
        if (prompt.length >= model.contextLength()) {
            throw new LoricaException.BadInput("the prompt has " + prompt.length
                    + " tokens, which leaves no room in the model's context of " + model.contextLength()
                    + "; shorten it");
        }
        for (long id : prompt) {
            if (id < 0 || id >= model.vocabularySize()) {
                throw new LoricaException.BadInput("the prompt holds token id " + id + ", but the model has "
                        + model.vocabularySize() + " tokens");
            }
        }
        int limit = Math.min(request.sampling().maxTokens(), model.contextLength() - prompt.length);
        memory.requireFit(request, limit);
        return limit;
    }

    private void loop() {
        try (Grad _ = Grad.disabled()) {
            while (!running.isEmpty() || queue.await()) {
                leave();
                memory.sweep();
                enter();
                List<Step.Slice> slices = plan();
                if (!slices.isEmpty()) {
                    step(slices);
                }
                note();
            }
        }
    }

    /** Lets go of those who gave up or waited too long. */
    private void leave() {
        for (Running request : queue.sweep(deadline.toNanos())) {
            if (request.cancelled()) {
                request.drop();
            } else {
                request.fail(new LoricaException.Busy("the server is overloaded: the request waited "
                        + deadline.toMillis() + " ms without its turn coming; try again later"));
            }
        }
        for (Iterator<Running> all = running.iterator(); all.hasNext(); ) {
            Running request = all.next();
            if (request.cancelled()) {
                all.remove();
                memory.dismiss(request);
                request.drop();
            }
        }
    }

    /** Lets in whoever is next in line and finds room; stops at the first who does not. */
    private void enter() {
        List<Running> waiting = queue.waiting();
        scheduler.look(waiting);
        int entered = 0;
        while (running.size() < options.maxSequences() && !waiting.isEmpty()) {
            Running next = scheduler.choose(waiting, adapters());
            boolean again = next.begun();
            if (!memory.admit(next, running)) {
                break;
            }
            if (!again) {
                scheduler.entered(next);
            }
            queue.remove(next);
            running.add(next);
            entered++;
            waiting = waiting.stream().filter(request -> request != next).toList();
        }
        scheduler.done(waiting, entered);
        if (options.scheduling().prefetch()) {
            memory.prefetch(waiting);
        }
    }

    private Set<ServedAdapter> adapters() {
        return running.stream().flatMap(request -> request.adapters().stream()).collect(Collectors.toSet());
    }

    /** One token of every answer, then pieces of prompts in order of arrival, up to the step's size. */
    private List<Step.Slice> plan() {
        List<Step.Slice> slices = new ArrayList<>();
        for (Running request : List.copyOf(running)) {
            if (request.pendingTokens() == 1) {
                plan(request, 1, slices);
            }
        }
        int room = options.stepTokens() - slices.size();
        for (Running request : List.copyOf(running)) {
            if (request.pendingTokens() > 1 && room > 0) {
                room -= plan(request, Math.min(room, request.pendingTokens()), slices);
            }
        }
        return slices;
    }

    /** Plans a request's next tokens. While pages are missing, whoever came last gives up his own. */
    private int plan(Running request, int count, List<Step.Slice> slices) {
        while (running.contains(request)) {
            if (memory.reserve(request, count)) {
                slices.add(Step.Slice.of(request, count));
                return count;
            }
            Running last = running.getLast();
            slices.removeIf(slice -> slice.request() == last);
            preempt(last);
        }
        return 0;
    }

    private void preempt(Running request) {
        running.remove(request);
        memory.dismiss(request);
        queue.giveBack(request);
        preemptions++;
    }

    private void step(List<Step.Slice> slices) {
        steps++;
        for (Step.Slice slice : slices) {
            promptTokens += slice.request().generated() == 0 ? slice.count() : 0;
        }
        try {
            Map<Running, float[]> logits =
                    new Step(slices, memory.adapters(), memory.merged(slices), buffers).run(crew);
            slices.forEach(slice -> memory.publish(slice.request()));
            logits.forEach(this::advance);
        } catch (RuntimeException e) {
            // The pass is lost for all who took part; the others, and the engine, go on.
            slices.forEach(slice -> fail(slice.request(), e));
        }
    }

    private void advance(Running request, float[] logits) {
        try {
            generatedTokens++;
            scheduler.generated(request);
            request.advance(logits);
            if (request.finished()) {
                running.remove(request);
                memory.dismiss(request);
                note(); // before it hears: whoever has the answer finds its tokens counted
                request.finish();
            }
        } catch (RuntimeException e) {
            fail(request, e);
        }
    }

    private void fail(Running request, RuntimeException cause) {
        if (running.remove(request)) {
            memory.dismiss(request);
            note();
            request.fail(
                    cause instanceof LoricaException known
                            ? known
                            : new LoricaException.Internal(
                                    "a step of the engine failed: " + cause.getMessage(), cause));
        }
    }

    private void note() {
        stats = new EngineStats(
                0,
                running.size(),
                running.stream().mapToInt(Running::used).sum(),
                options.cacheTokens(),
                promptTokens,
                memory.prefixTokens(),
                generatedTokens,
                steps,
                preemptions,
                memory.pages());
    }

    /** Finishes what is running and waiting, takes nothing new, and gives the model back. */
    @Override
    public void close() {
        queue.close();
        boolean interrupted = false;
        while (thread.isAlive()) {
            try {
                thread.join();
            } catch (InterruptedException _) {
                interrupted = true;
            }
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
        crew.close();
        memory.close();
    }
}
