package io.lorica.server;

import com.fasterxml.jackson.databind.node.ObjectNode;
import io.helidon.webserver.http.ServerRequest;
import io.helidon.webserver.http.ServerResponse;
import io.lorica.model.Tokenizer;
import io.lorica.serve.engine.Engine;
import io.lorica.serve.store.BlendSpec;
import io.lorica.serve.store.Lease;
import io.lorica.server.access.Tenant;
import java.util.function.Function;

/** {@code /v1/chat/completions} and {@code /v1/completions}. */
final class Generate {
    private final Engine engine;
    private final Served served;
    private final Requests requests;
    private final Spelling spelling;
    private final ServerOptions options;
    private final Workers workers;
    private final Running running;
    private final Metrics metrics;

    Generate(
            Engine engine,
            Served served,
            Tokenizer tokenizer,
            int context,
            ServerOptions options,
            Workers workers,
            Running running,
            Metrics metrics) {
        this.engine = engine;
        this.served = served;
        this.options = options;
        this.workers = workers;
        this.running = running;
        this.metrics = metrics;
        requests = new Requests(tokenizer, context, options);
        spelling = new Spelling(tokenizer);
    }

    Action chat() {
        return (request, response, tenant) ->
                handle(request, response, tenant, requests::chat, job -> new ChatFormat(job, spelling));
    }

    Action text() {
        return (request, response, tenant) ->
                handle(request, response, tenant, requests::text, job -> new TextFormat(job, spelling));
    }

    private void handle(
            ServerRequest request,
            ServerResponse response,
            Tenant tenant,
            Function<ObjectNode, Job> parse,
            Function<Job, Format> form)
            throws InterruptedException {
        ObjectNode body = Body.read(request, options.bodyBytes());
        Client client = Clients.current();
        client.watch();
        tenant.admit();
        try (Running.Entry entry = running.enter()) {
            Job job = workers.run(() -> parse.apply(body));
            try (Answers answers = workers.run(() -> start(job, tenant, client))) {
                entry.holds(answers);
                Delivery delivery = new Delivery(form.apply(job), answers, client, options.answerTime());
                if (job.stream()) {
                    delivery.stream(response);
                } else {
                    delivery.whole(response);
                }
            }
        }
    }

    private Answers start(Job job, Tenant tenant, Client client) {
        BlendSpec spec = served.spec(job.model(), tenant);
        Meter meter = new Meter(metrics, tenant, job, spec.weights().keySet());
        Lease lease = served.store().acquire(spec);
        // an answer in one piece is collected as it comes, however slowly it is read afterwards
        int mostWaiting = job.stream() ? options.streamTokens() : Integer.MAX_VALUE;
        return Answers.start(engine, lease, meter, job, mostWaiting, client::abort);
    }
}
