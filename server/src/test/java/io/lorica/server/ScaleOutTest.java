package io.lorica.server;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assumptions.assumeThat;

import java.io.File;
import java.io.IOException;
import java.net.ServerSocket;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import java.util.function.UnaryOperator;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.MethodOrderer;
import org.junit.jupiter.api.Order;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.api.TestMethodOrder;
import org.junit.jupiter.api.io.TempDir;

/** Three replicas behind nginx with {@code deploy/nginx.conf}; skipped where there is no nginx. */
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
@TestMethodOrder(MethodOrderer.OrderAnnotation.class)
class ScaleOutTest {
    private static final int REPLICAS = 3;
    private static final List<String> NAMES =
            IntStream.range(0, 12).mapToObj(i -> "adapter-" + i).toList();

    private final HttpClient client = HttpClient.newHttpClient();
    private final List<TestServer> replicas = new ArrayList<>();
    private final List<String> addresses = new ArrayList<>();
    private @Nullable Process nginx;
    private int port;

    @TempDir
    static Path directory;

    @BeforeAll
    void start() throws Exception {
        Optional<Path> program = program();
        assumeThat(program).as("nginx, on the PATH or named by LORICA_NGINX").isPresent();
        for (int i = 0; i < REPLICAS; i++) {
            replicas.add(new TestServer(directory.resolve("replica" + i), UnaryOperator.identity(), NAMES));
        }
        port = freePort();
        Path file = directory.resolve("nginx.conf");
        Files.writeString(file, configuration());
        nginx = new ProcessBuilder(
                        program.orElseThrow().toString(),
                        "-p",
                        directory.toString(),
                        "-c",
                        file.toString(),
                        "-e",
                        "error.log")
                .redirectErrorStream(true)
                .redirectOutput(directory.resolve("nginx.out").toFile())
                .start();
        await();
    }

    private static Optional<Path> program() {
        Stream<Path> onPath =
                Stream.of(System.getenv("PATH").split(File.pathSeparator)).map(folder -> Path.of(folder, "nginx"));
        return Stream.concat(
                        Stream.concat(
                                Stream.ofNullable(System.getenv("LORICA_NGINX")).map(Path::of), onPath),
                        Stream.of(Path.of("/usr/sbin/nginx")))
                .filter(Files::isExecutable)
                .findFirst();
    }

    /** The file as it is, with other ports and nothing written outside of the test's directory. */
    private String configuration() throws IOException {
        String text = Files.readString(Path.of("..", "deploy", "nginx.conf"), UTF_8)
                .replace("127.0.0.1:8000", "127.0.0.1:" + port)
                .replace("access_log off;", "access_log off; add_header X-Replica $upstream_addr;\n" + temporary());
        for (int i = 0; i < REPLICAS; i++) {
            addresses.add(replicas.get(i).server.address().getAuthority());
            text = text.replace("127.0.0.1:800" + (i + 1), addresses.get(i));
        }
        return "daemon off;\nmaster_process off;\npid nginx.pid;\n" + text;
    }

    private static String temporary() {
        StringBuilder lines = new StringBuilder();
        for (String kind : List.of("client_body", "proxy", "fastcgi", "uwsgi", "scgi")) {
            lines.append("  ").append(kind).append("_temp_path ").append(kind).append(";\n");
        }
        return lines.toString();
    }

    private static int freePort() throws IOException {
        try (ServerSocket socket = new ServerSocket(0)) {
            return socket.getLocalPort();
        }
    }

    private void await() throws Exception {
        for (int i = 0; i < 200; i++) {
            try {
                get("/health/ready");
                return;
            } catch (IOException _) {
                Thread.sleep(50);
            }
        }
        throw new IllegalStateException(Files.readString(directory.resolve("nginx.out")));
    }

    private HttpResponse<String> get(String path) throws Exception {
        return client.send(
                HttpRequest.newBuilder(URI.create("http://127.0.0.1:" + port + path))
                        .build(),
                HttpResponse.BodyHandlers.ofString());
    }

    private HttpResponse<String> ask(String model, String... headers) throws Exception {
        String body =
                "{\"prompt\": \"say \\\"model\\\": \\\"tone\\\"\", \"max_tokens\": 1, \"model\": \"" + model + "\"}";
        HttpRequest.Builder request = HttpRequest.newBuilder(URI.create("http://127.0.0.1:" + port + "/v1/completions"))
                .timeout(Duration.ofSeconds(30))
                .POST(HttpRequest.BodyPublishers.ofString(body));
        if (headers.length > 0) {
            request.headers(headers);
        }
        return client.send(request.build(), HttpResponse.BodyHandlers.ofString());
    }

    /** Which replica has answered, as nginx says. */
    private int whoAnswers(String model, String... headers) throws Exception {
        HttpResponse<String> response = ask(model, headers);
        assertThat(response.statusCode()).as(response.body()).isEqualTo(200);
        String answerer = response.headers().firstValue("X-Replica").orElseThrow();
        return addresses.indexOf(answerer);
    }

    private Map<String, Integer> homes() throws Exception {
        Map<String, Integer> homes = new HashMap<>();
        for (String name : NAMES) {
            homes.put(name, whoAnswers(name));
        }
        return homes;
    }

    @Test
    void adapter_askedForAgain_isAnsweredByTheSameReplica() throws Exception {
        Map<String, Integer> homes = homes();

        assertThat(homes()).isEqualTo(homes);
        assertThat(Set.copyOf(homes.values())).as("replicas with adapters").hasSizeGreaterThan(1);
    }

    @Test
    void blendAndHeader_goWhereTheAdapterGoes() throws Exception {
        String name = NAMES.getFirst();
        int home = whoAnswers(name);

        assertThat(whoAnswers(name + ":0.7+" + NAMES.getLast() + ":0.5")).isEqualTo(home);
        assertThat(whoAnswers(NAMES.getLast(), "X-Lorica-Model", name)).isEqualTo(home);
    }

    @Test
    @Order(Integer.MAX_VALUE) // the others need all three
    void replica_goesAway_onlyItsAdaptersMove() throws Exception {
        Map<String, Integer> before = homes();
        int gone = Collections.min(before.values());

        replicas.get(gone).server.close();

        for (String name : NAMES) {
            int home = Objects.requireNonNull(before.get(name));
            if (home == gone) {
                assertThat(ask(name).statusCode()).isEqualTo(200);
            } else {
                assertThat(whoAnswers(name)).isEqualTo(home);
            }
        }
    }

    @Test
    void administration_isRefusedByTheProxyInOpenAisShape() throws Exception {
        HttpResponse<String> response = get("/metrics");

        assertThat(response.statusCode()).isEqualTo(404);
        assertThat(TestServer.json(response).at("/error/message").asText()).contains("each replica");
    }

    @AfterAll
    void stop() throws Exception {
        if (nginx != null) {
            nginx.destroy();
            nginx.waitFor();
        }
        replicas.forEach(TestServer::close);
        client.close();
    }
}
