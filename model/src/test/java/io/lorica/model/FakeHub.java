package io.lorica.model;

import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.stream.Collectors;

/** A hub with one repository, {@code owner/tiny}, that sends large files from a second server as the real one does. */
final class FakeHub implements AutoCloseable {
    static final String COMMIT = "0123456789abcdef0123456789abcdef01234567";
    final Map<String, byte[]> files = new LinkedHashMap<>();
    /** What the hub claims of a file, where it claims anything. */
    final Map<String, String> hashes = new HashMap<>();
    /** A file's first answer ends after so many bytes. */
    final Map<String, Integer> cuts = new HashMap<>();

    final List<String> hubRequests = Collections.synchronizedList(new ArrayList<>());
    final List<String> storeRequests = Collections.synchronizedList(new ArrayList<>());
    int apiStatus = 200;
    private final HttpServer hub = server();
    private final HttpServer store = server();

    FakeHub() {
        hub.createContext("/api/", exchange -> {
            record(exchange, hubRequests);
            String siblings = files.keySet().stream()
                    .map(file -> "{\"rfilename\": \"" + file + "\"}")
                    .collect(Collectors.joining(","));
            send(exchange, apiStatus, "{\"sha\": \"" + COMMIT + "\", \"siblings\": [" + siblings + "]}");
        });
        hub.createContext("/owner/tiny/resolve/" + COMMIT + "/", exchange -> {
            record(exchange, hubRequests);
            String file = name(exchange);
            if (hashes.containsKey(file)) {
                exchange.getResponseHeaders().add("x-linked-etag", "\"" + hashes.get(file) + "\"");
                exchange.getResponseHeaders().add("location", address(store) + "/blob/" + file);
                send(exchange, 302, "");
            } else {
                serve(exchange, file);
            }
        });
        store.createContext("/blob/", exchange -> {
            record(exchange, storeRequests);
            serve(exchange, name(exchange));
        });
        hub.start();
        store.start();
    }

    String address() {
        return address(hub);
    }

    private static String address(HttpServer server) {
        return "http://127.0.0.1:" + server.getAddress().getPort();
    }

    private static HttpServer server() {
        try {
            return HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
        } catch (IOException e) {
            throw new IllegalStateException(e);
        }
    }

    private static String name(HttpExchange exchange) {
        String path = exchange.getRequestURI().getPath();
        return path.substring(path.lastIndexOf('/') + 1);
    }

    private static void record(HttpExchange exchange, List<String> requests) {
        requests.add(name(exchange) + " range="
                + exchange.getRequestHeaders().getFirst("Range") + " authorization="
                + exchange.getRequestHeaders().getFirst("Authorization"));
    }

    private void serve(HttpExchange exchange, String file) throws IOException {
        byte[] bytes = Objects.requireNonNull(files.get(file));
        String range = exchange.getRequestHeaders().getFirst("Range");
        int from = range == null ? 0 : Integer.parseInt(range.substring("bytes=".length(), range.length() - 1));
        if (from >= bytes.length) {
            send(exchange, 416, "");
            return;
        }
        exchange.sendResponseHeaders(range == null ? 200 : 206, bytes.length - from);
        Integer cut = cuts.remove(file);
        exchange.getResponseBody().write(bytes, from, cut == null ? bytes.length - from : cut);
        exchange.getResponseBody().flush();
        exchange.close();
    }

    private static void send(HttpExchange exchange, int status, String text) throws IOException {
        byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
        exchange.sendResponseHeaders(status, bytes.length == 0 ? -1 : bytes.length);
        exchange.getResponseBody().write(bytes);
        exchange.close();
    }

    @Override
    public void close() {
        hub.stop(0);
        store.stop(0);
    }
}
