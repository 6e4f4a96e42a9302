package io.lorica.bench.serving;

import static org.assertj.core.api.Assertions.assertThat;

import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import io.lorica.bench.serving.Workload.Arrival;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.concurrent.Executors;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Against a server that answers adapter 0 whole, refuses adapter 1, and never ends with adapter 2. */
class ClientTest {
    private static final long[] PROMPT = {1, 2};
    private HttpServer server;

    @BeforeEach
    void start() throws IOException {
        server = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
        server.setExecutor(Executors.newVirtualThreadPerTaskExecutor());
        server.createContext("/v1/completions", ClientTest::answer);
        server.start();
    }

    @AfterEach
    void stop() {
        server.stop(0);
    }

    private static void answer(HttpExchange exchange) throws IOException {
        String body = new String(exchange.getRequestBody().readAllBytes(), StandardCharsets.UTF_8);
        if (body.contains("a1")) {
            exchange.sendResponseHeaders(429, -1);
            exchange.close();
            return;
        }
        exchange.sendResponseHeaders(200, 0);
        event(exchange, "{\"choices\": [{\"text\": \"x\"}]}");
        if (body.contains("a0")) {
            event(exchange, "{\"choices\": [], \"usage\": {\"completion_tokens\": 7}}");
            event(exchange, "[DONE]");
            exchange.close();
        }
    }

    private static void event(HttpExchange exchange, String data) throws IOException {
        exchange.getResponseBody().write(("data: " + data + "\n\n").getBytes(StandardCharsets.UTF_8));
        exchange.getResponseBody().flush();
    }

    @Test
    void offer_answeredRefusedAndUnfinished_areScoredAsThat() throws InterruptedException {
        Client client = new Client(
                URI.create("http://127.0.0.1:" + server.getAddress().getPort()),
                (body, adapter) -> body.put("model", "a" + adapter));
        List<Outcome> outcomes = client.offer(
                List.of(
                        new Arrival(0, 0, PROMPT, 7),
                        new Arrival(0.05, 1, PROMPT, 7),
                        new Arrival(0.1, 2, PROMPT, 7),
                        new Arrival(9, 0, PROMPT, 7)),
                1);
        assertThat(outcomes).extracting(Outcome::tokens).containsExactly(7, 0, 1);
        assertThat(outcomes).extracting(Outcome::finished).containsExactly(true, false, false);
        assertThat(outcomes).extracting(Outcome::refused).containsExactly(false, true, false);
        Score score = Score.of(outcomes, 1, 0, 0);
        assertThat(score.tokensPerSecond()).isEqualTo(8);
        assertThat(score.requestsPerSecond()).isEqualTo(1);
        assertThat(score.sent()).isEqualTo(3);
    }

    @Test
    void score_attainment_countsThoseWhoCouldWaitAndRefusedAsMissed() {
        Score score = Score.of(
                List.of(
                        new Outcome(0, 1, 2, 5, 200),
                        new Outcome(1, 7, 8, 5, 200),
                        new Outcome(2, Double.NaN, Double.NaN, 0, 429),
                        new Outcome(3, 5, Double.NaN, 1, 200),
                        new Outcome(7, Double.NaN, Double.NaN, 0, 0)),
                10,
                0,
                0);
        assertThat(score.attainment()).isEqualTo(0.5);
        assertThat(score.firstTokenMedian()).isEqualTo(5);
    }
}
