package io.lorica.server;

import com.fasterxml.jackson.databind.node.ObjectNode;
import io.helidon.webserver.http.Handler;
import io.helidon.webserver.http.ServerRequest;
import io.helidon.webserver.http.ServerResponse;
import io.lorica.model.Tokenizer;
import io.lorica.serve.engine.Engine;
import io.lorica.serve.store.Lease;
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

    Generate(
            Engine engine,
            Served served,
            Tokenizer tokenizer,
            int context,
            ServerOptions options,
            Workers workers,
            Running running) {
        this.engine = engine;
        this.served = served;
        this.options = options;
        this.workers = workers;
        this.running = running;
        requests = new Requests(tokenizer, context, options);
        spelling = new Spelling(tokenizer);
    }

    Handler chat() {
        return (request, response) -> handle(request, response, requests::chat, job -> new ChatFormat(job, spelling));
    }

    Handler text() {
        return (request, response) -> handle(request, response, requests::text, job -> new TextFormat(job, spelling));
    }

    private void handle(
            ServerRequest request, ServerResponse response, Function<ObjectNode, Job> parse, Function<Job, Format> form)
            throws InterruptedException {
        ObjectNode body = Body.read(request, options.bodyBytes());
        Client client = Clients.current();
        client.watch();
        try (Running.Entry entry = running.enter()) {
            Job job = workers.run(() -> parse.apply(body));
            try (Answers answers = workers.run(() -> start(job, client))) {
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

    private Answers start(Job job, Client client) {
        Lease lease = served.acquire(job.model());
        // an answer in one piece is collected as it comes, however slowly it is read afterwards
        int mostWaiting = job.stream() ? options.streamTokens() : Integer.MAX_VALUE;
        return Answers.start(engine, lease, job, mostWaiting, client::abort);
    }
}
