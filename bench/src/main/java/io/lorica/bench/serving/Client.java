package io.lorica.bench.serving;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.lorica.bench.serving.Workload.Arrival;
import io.lorica.tensor.LoricaException;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.stream.Stream;

/** Asks {@code /v1/completions} for streamed answers at given times, whatever became of the earlier ones (an open loop). */
final class Client {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final String DATA = "data: ";

    private final URI completions;
    private final Dialect dialect;

    /** How a server wants to be told which adapter to take; the rest of the body is the same for all. */
    interface Dialect {
        void name(ObjectNode body, int adapter);
    }

    /** @param server such as {@code http://127.0.0.1:8000} */
    Client(URI server, Dialect dialect) {
        completions = server.resolve("/v1/completions");
        this.dialect = dialect;
    }

    /** Sends all, each at its time, and breaks off what is not answered {@code window} seconds after the beginning. */
    List<Outcome> offer(List<Arrival> arrivals, double window) throws InterruptedException {
        HttpClient http =
                HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build();
        try (ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor()) {
            long began = System.nanoTime();
            List<Future<Outcome>> answers = new ArrayList<>();
            for (Arrival arrival : arrivals) {
                if (arrival.at() >= window) {
                    break;
                }
                sleepUntil(began, arrival.at());
                answers.add(threads.submit(() -> ask(http, arrival)));
            }
            sleepUntil(began, window);
            http.shutdownNow();
            List<Outcome> outcomes = new ArrayList<>();
            for (Future<Outcome> answer : answers) {
                outcomes.add(answer.get());
            }
            return outcomes;
        } catch (ExecutionException e) {
            throw new LoricaException.Internal("a request failed: " + e.getCause(), e);
        } finally {
            http.shutdownNow();
        }
    }

    /** One answer, waited for. */
    Outcome ask(Arrival arrival) {
        try (HttpClient http =
                HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build()) {
            return ask(http, arrival);
        }
    }

    private Outcome ask(HttpClient http, Arrival arrival) {
        Stopwatch watch = new Stopwatch(arrival.at());
        try {
            HttpResponse<Stream<String>> response = http.send(request(arrival), HttpResponse.BodyHandlers.ofLines());
            watch.status = response.statusCode();
            try (Stream<String> lines = response.body()) {
                for (Iterator<String> each = lines.iterator(); each.hasNext(); ) {
                    String line = each.next();
                    if (watch.status == 200 && line.startsWith(DATA)) {
                        watch.hear(line.substring(DATA.length()));
                    }
                }
            }
        } catch (IOException | UncheckedIOException e) {
            return watch.outcome(); // cut off at the end of the window, or by the server
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
        return watch.outcome();
    }

    private HttpRequest request(Arrival arrival) {
        ObjectNode body = JSON.createObjectNode();
        for (long token : arrival.prompt()) {
            body.withArray("prompt").add(token);
        }
        body.put("max_tokens", arrival.maxTokens()).put("temperature", 0).put("ignore_eos", true);
        body.put("stream", true).putObject("stream_options").put("include_usage", true);
        dialect.name(body, arrival.adapter());
        return HttpRequest.newBuilder(completions)
                .header("Content-Type", "application/json")
                .timeout(Duration.ofMinutes(30))
                .POST(HttpRequest.BodyPublishers.ofString(body.toString()))
                .build();
    }

    private static void sleepUntil(long began, double seconds) throws InterruptedException {
        long left = began + (long) (seconds * 1e9) - System.nanoTime();
        if (left > 0) {
            Thread.sleep(Duration.ofNanos(left));
        }
    }

    /** Takes the times of one answer. */
    private static final class Stopwatch {
        private final double at;
        private final long began = System.nanoTime();
        private double first = Double.NaN;
        private double end = Double.NaN;
        private int pieces;
        private int tokens;
        private int status;

        Stopwatch(double at) {
            this.at = at;
        }

        void hear(String data) throws IOException {
            if (data.equals("[DONE]")) {
                end = seconds();
                return;
            }
            JsonNode event = JSON.readTree(data);
            if (!event.path("choices").isEmpty()) {
                first = Double.isNaN(first) ? seconds() : first;
                pieces++;
            }
            tokens = Math.max(
                    tokens, event.path("usage").path("completion_tokens").asInt());
        }

        private double seconds() {
            return (System.nanoTime() - began) / 1e9;
        }

        /** Tokens are what the server says at the end; of an answer cut off, a piece is taken as a token. */
        Outcome outcome() {
            return new Outcome(at, first, end, Double.isNaN(end) ? pieces : Math.max(tokens, pieces), status);
        }
    }
}
