package io.lorica.server;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.Socket;
import java.nio.file.Path;
import java.util.function.UnaryOperator;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Paths as an attacker writes them on the wire, where no client library has tidied them up. */
class PathTest {
    @TempDir
    private static Path adapters;

    @SuppressWarnings("NullAway.Init")
    private static TestServer server;

    @BeforeAll
    static void start() {
        server = new TestServer(adapters, UnaryOperator.identity());
    }

    @AfterAll
    static void close() {
        server.close();
    }

    /** What comes back, for a client that sends all of its body before it reads. */
    private static String post(String path, int body) throws IOException {
        try (Socket socket = new Socket(
                InetAddress.getLoopbackAddress(), server.server.address().getPort())) {
            socket.setSoTimeout(5_000);
            OutputStream out = socket.getOutputStream();
            out.write(("POST " + path + " HTTP/1.1\r\nHost: localhost\r\nContent-Length: " + body + "\r\n\r\n")
                    .getBytes(UTF_8));
            out.write(new byte[body]);
            byte[] answer = new byte[8192];
            int length = socket.getInputStream().read(answer);
            return new String(answer, 0, Math.max(length, 0), UTF_8);
        }
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "/v1/lorica/adapters/..%2Fevil",
                "/v1/lorica/adapters/%2e%2e%2Fevil",
                "/v1/lorica/adapters/..%2F..%2F..%2F..%2F..%2Fevil",
                "/v1/lorica/adapters/../evil",
                "/v1/lorica/adapters/..",
                "/v1/lorica/adapters/%",
                "/v1/lorica/adapters/%00",
                "/v1/lorica/adapters/..%5Cevil",
                "/..%2Fv1/completions",
                "/../../../../../etc/passwd",
                "/%2e%2e/%2e%2e/%2e%2e/etc/passwd",
                "..%2Fevil",
                "//..%2Fevil",
                "http://other/..%2Fevil"
            })
    void post_pathThatClimbs_isAnsweredWith4xx(String path) throws IOException {
        assertThat(post(path, 4)).startsWith("HTTP/1.1 4").contains("\"error\"");
    }

    @ParameterizedTest
    @ValueSource(strings = {"/v1/lorica/adapters/..%2Fevil", "/v1/lorica/adapters/lorica-tiny", "/v1/none", "/health"})
    void post_bodyThatNobodyReads_isAnsweredWith4xx(String path) throws IOException {
        for (int i = 0; i < 3; i++) {
            assertThat(post(path, 3 << 20)).startsWith("HTTP/1.1 4").contains("\"error\"");
        }
    }
}
