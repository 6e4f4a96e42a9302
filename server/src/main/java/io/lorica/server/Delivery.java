package io.lorica.server;

import com.fasterxml.jackson.databind.node.ObjectNode;
import io.helidon.http.HttpException;
import io.helidon.http.Status;
import io.helidon.webserver.CloseConnectionException;
import io.helidon.webserver.http.ServerResponse;
import io.lorica.tensor.LoricaException;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.time.Duration;
import java.util.List;
import java.util.stream.IntStream;

/** Brings the answers to one request to its client, in one piece or as they come, while the client is there. */
final class Delivery {
    private static final Duration LOOK = Duration.ofMillis(100);

    private final Format format;
    private final Answers answers;
    private final Client client;
    private final long deadline;
    private final List<Choice> choices;

    /**
     * @param client watched, so that it is known when it goes away
     * @param time until the answers are given up
     */
    Delivery(Format format, Answers answers, Client client, Duration time) {
        this.format = format;
        this.answers = answers;
        this.client = client;
        deadline = System.nanoTime() + time.toNanos();
        choices = IntStream.range(0, format.job.choices())
                .mapToObj(_ -> new Choice())
                .toList();
    }

    void whole(ServerResponse response) throws InterruptedException {
        while (!ended()) {
            take(await());
        }
        Json.send(response, format.whole(choices));
    }

    /** The response begins with the first token, so that a request refused before it still gets its status. */
    void stream(ServerResponse response) throws InterruptedException {
        Answers.Event first = await();
        if (first instanceof Answers.Event.Ended) {
            take(first);
        }
        try (EventStream out = new EventStream(response)) {
            for (int i = 0; i < choices.size(); i++) {
                ObjectNode opening = format.opening(i);
                if (opening != null) {
                    out.send(opening);
                }
            }
            try {
                stream(first, out);
            } catch (LoricaException | HttpException e) {
                out.send(Failure.of(e).json());
            }
            out.done();
        } catch (IOException | UncheckedIOException e) {
            throw new CloseConnectionException("the client went away", e);
        }
    }

    private void stream(Answers.Event first, EventStream out) throws IOException, InterruptedException {
        for (Answers.Event event = first; ; event = await()) {
            send(event, out);
            if (ended()) {
                break;
            }
            if (!answers.ready()) {
                out.flush();
            }
        }
        if (format.job.streamUsage()) {
            out.send(format.usage(choices));
        }
    }

    private void send(Answers.Event event, EventStream out) throws IOException {
        Choice choice = choices.get(event.choice());
        int offset = format.job.echo(event.choice()).length() + choice.text().length();
        if (!choice.ended()) {
            take(event);
        }
        switch (event) {
            case Answers.Event.Token token -> {
                String text = token.piece().text();
                if (!text.isEmpty() || format.job.logprobs() >= 0) {
                    out.send(format.chunk(token.choice(), text, List.of(token.piece()), offset, null));
                }
            }
            case Answers.Event.Ended ended ->
                out.send(format.chunk(ended.choice(), "", List.of(), offset, choice.finishReason()));
        }
    }

    private void take(Answers.Event event) {
        Choice choice = choices.get(event.choice());
        switch (event) {
            case Answers.Event.Token token -> choice.add(token.piece());
            case Answers.Event.Ended ended -> choice.end(ended.end());
        }
    }

    private boolean ended() {
        return choices.stream().allMatch(Choice::ended);
    }

    private Answers.Event await() throws InterruptedException {
        while (true) {
            if (client.gone()) {
                throw new CloseConnectionException("the client went away");
            }
            if (System.nanoTime() > deadline) {
                throw new HttpException(
                        "the answer took longer than this server allows; ask for fewer tokens",
                        Status.GATEWAY_TIMEOUT_504);
            }
            Answers.Event event = answers.next(LOOK);
            if (event != null) {
                return event;
            }
        }
    }
}
