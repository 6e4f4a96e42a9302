package io.lorica.server;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.Socket;
import java.net.SocketException;
import java.net.SocketTimeoutException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.function.UnaryOperator;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Clients who go away, or come again on the same connection. */
class GoneTest {
    private static final int TOKENS = 480;

    @TempDir
    Path adapters;

    private static void write(Socket socket, String body) throws IOException {
        OutputStream out = socket.getOutputStream();
        out.write(
                ("POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: "
                                + body.length() + "\r\n\r\n" + body)
                        .getBytes(UTF_8));
        out.flush();
    }

    @ParameterizedTest
    @ValueSource(booleans = {true, false})
    void client_goesAway_answerIsCancelled(boolean stream) throws Exception {
        try (TestServer server = new TestServer(adapters, UnaryOperator.identity())) {
            try (Socket socket = new Socket(
                    InetAddress.getLoopbackAddress(), server.server.address().getPort())) {
                write(
                        socket,
                        "{\"model\": \"law\", \"prompt\": \"Once\", \"temperature\": 0, \"max_tokens\": " + TOKENS
                                + ", \"n\": 4, \"stream\": " + stream + "}");
                while (server.server.stats().generatedTokens() == 0) {
                    Thread.sleep(1);
                }
            }
            while (server.server.stats().running() > 0) {
                Thread.sleep(1);
            }
            assertThat(server.server.stats().generatedTokens()).isLessThan(4 * TOKENS);
        }
    }

    @Test
    void client_sendsTwoRequestsAtOnce_bothAreAnsweredInOrder() throws Exception {
        try (TestServer server = new TestServer(adapters, UnaryOperator.identity());
                Socket socket = new Socket(
                        InetAddress.getLoopbackAddress(),
                        server.server.address().getPort())) {
            write(socket, "{\"model\": \"law\", \"prompt\": \"Once\", \"max_tokens\": 40}");
            write(socket, "{\"model\": \"tone\", \"prompt\": \"Once\", \"max_tokens\": 1}");
            StringBuilder answers = new StringBuilder();
            byte[] buffer = new byte[8192];
            while (!answers.toString().matches("(?s).*\"model\":\"law\".*\"model\":\"tone\".*")) {
                int count = socket.getInputStream().read(buffer);
                assertThat(count).as(answers.toString()).isPositive();
                answers.append(new String(buffer, 0, count, UTF_8));
            }
            assertThat(answers.toString().split("HTTP/1.1 200")).hasSize(3);
        }
    }

    @Test
    void body_thatDoesNotCome_breaksTheConnection() throws Exception {
        try (TestServer server = new TestServer(adapters, GoneTest::impatient);
                Socket socket = new Socket(
                        InetAddress.getLoopbackAddress(),
                        server.server.address().getPort())) {
            socket.setSoTimeout(20_000);
            socket.getOutputStream()
                    .write("POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{"
                            .getBytes(UTF_8));
            assertThat(ended(socket)).isTrue();
            assertThat(server.get("/health/ready").statusCode()).isEqualTo(200);
        }
    }

    private static boolean ended(Socket socket) throws IOException {
        try {
            return socket.getInputStream().read() < 0;
        } catch (SocketTimeoutException _) {
            return false;
        } catch (SocketException _) {
            return true; // reset
        }
    }

    private static ServerOptions impatient(ServerOptions options) {
        return new ServerOptions(
                options.name(),
                options.host(),
                options.port(),
                options.engine(),
                options.answerTokens(),
                options.choices(),
                options.bodyBytes(),
                Duration.ofMillis(300),
                options.answerTime(),
                options.drainTime(),
                options.streamTokens(),
                options.keys(),
                options.adapters());
    }

    @Test
    void close_whileAnswering_finishesTheAnswer() throws Exception {
        TestServer server = new TestServer(adapters, UnaryOperator.identity());
        try (Socket socket = new Socket(
                InetAddress.getLoopbackAddress(), server.server.address().getPort())) {
            write(socket, "{\"model\": \"law\", \"prompt\": \"Once\", \"temperature\": 0, \"max_tokens\": 100}");
            while (server.server.stats().generatedTokens() == 0) {
                Thread.sleep(1);
            }
            server.close();
            assertThat(new String(socket.getInputStream().readAllBytes(), UTF_8))
                    .contains("\"completion_tokens\":100");
        }
    }
}
