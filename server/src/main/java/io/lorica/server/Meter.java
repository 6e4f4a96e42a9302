package io.lorica.server;

import io.lorica.serve.engine.Listener;
import io.lorica.server.access.Tenant;
import java.util.Locale;
import java.util.Set;

/** Measures the answers to one request, and charges its tenant for them. Called on the engine's thread. */
final class Meter {
    private static final double NANOS = 1e9;

    private final Metrics metrics;
    private final Tenant tenant;
    private final Job job;
    private final Set<String> adapters;
    private final long start = System.nanoTime();
    private final long[] first;

    /** @param adapters that act on it */
    Meter(Metrics metrics, Tenant tenant, Job job, Set<String> adapters) {
        this.metrics = metrics;
        this.tenant = tenant;
        this.job = job;
        this.adapters = adapters;
        first = new long[job.choices()];
    }

    Tenant tenant() {
        return tenant;
    }

    void token(int choice) {
        if (first[choice] == 0) {
            first[choice] = System.nanoTime();
            metrics.firstToken.observe((first[choice] - start) / NANOS);
        }
    }

    void ended(int choice, Listener.End end) {
        switch (end) {
            case Listener.End.Finished finished -> {
                int tokens = finished.answer().tokens().length;
                long now = System.nanoTime();
                metrics.whole.observe((now - start) / NANOS);
                if (tokens > 1) {
                    metrics.perToken.observe((now - first[choice]) / NANOS / (tokens - 1));
                }
                count(choice, finished.answer().finishReason().name(), tokens);
            }
            case Listener.End.Cancelled cancelled -> count(choice, "CANCELLED", cancelled.tokens());
            case Listener.End.Failed failed ->
                count(choice, failed.error().kind().name(), failed.tokens());
        }
    }

    /** A prompt counts once, however many answers it has, and only when something was done. */
    private void count(int choice, String end, int tokens) {
        boolean worked = tokens > 0 || end.equals("CANCELLED");
        int prompt = worked && choice % job.n() == 0 ? job.prompt(choice).length : 0;
        tenant.charge(prompt, tokens);
        metrics.answers.labelValues(tenant.name(), end.toLowerCase(Locale.ROOT)).inc();
        metrics.tokens.labelValues(tenant.name(), "prompt").inc(prompt);
        metrics.tokens.labelValues(tenant.name(), "answer").inc(tokens);
        metrics.answered(adapters, tokens);
    }
}
