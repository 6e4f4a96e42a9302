package io.lorica.serve.registry;

import static java.nio.charset.StandardCharsets.UTF_8;

import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.atomic.AtomicInteger;

/** Answers S3's GetObject from a folder with one folder per bucket, and refuses what is not signed. */
final class StubObjectStore implements AutoCloseable {
    final AtomicInteger objects = new AtomicInteger();
    private final Path root;
    private final HttpServer server;

    StubObjectStore(Path root) throws IOException {
        this.root = root;
        server = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
        server.createContext("/", this::answer);
        server.start();
    }

    URI endpoint() {
        return URI.create("http://127.0.0.1:" + server.getAddress().getPort());
    }

    private void answer(HttpExchange exchange) throws IOException {
        try (exchange) {
            String signed = exchange.getRequestHeaders().getFirst("Authorization");
            Path file = root.resolve(exchange.getRequestURI().getPath().substring(1));
            if (signed == null || !signed.startsWith("AWS4-HMAC-SHA256 Credential=stub-id/")) {
                fail(exchange, 403, "AccessDenied");
            } else if (!Files.isRegularFile(file)) {
                fail(exchange, 404, "NoSuchKey");
            } else {
                objects.incrementAndGet();
                exchange.sendResponseHeaders(200, Files.size(file));
                Files.copy(file, exchange.getResponseBody());
            }
        }
    }

    private static void fail(HttpExchange exchange, int status, String code) throws IOException {
        byte[] body = ("<Error><Code>" + code + "</Code><Message>stub</Message></Error>").getBytes(UTF_8);
        exchange.getResponseHeaders().set("Content-Type", "application/xml");
        exchange.sendResponseHeaders(status, body.length);
        exchange.getResponseBody().write(body);
    }

    @Override
    public void close() {
        server.stop(0);
    }
}
