package io.lorica.model;

import io.lorica.tensor.AtomicFile;
import io.lorica.tensor.Hashing;
import io.lorica.tensor.LoricaException;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.ConnectException;
import java.net.InetAddress;
import java.net.URI;
import java.net.UnknownHostException;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.FutureTask;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.regex.Pattern;

/**
 * Reads from the Hugging Face Hub, or from the server that {@code HF_ENDPOINT} names.
 *
 * <p>A file is written to {@code name.partial}; a cut connection goes on where it stopped. Its SHA-256, which the hub
 * states in {@code x-linked-etag} for large files, is checked before it gets its name. The token ({@code HF_TOKEN}) is
 * sent to the hub and never to the servers it redirects to.
 */
final class HubClient {
    private static final Duration CONNECT = Duration.ofSeconds(3);
    private static final Duration RESPONSE = Duration.ofSeconds(30);
    private static final int MAX_REDIRECTS = 5;
    private static final int MAX_ATTEMPTS = 5;
    private static final int CHUNK = 1 << 16;
    private static final Pattern SHA256 = Pattern.compile("\"?([0-9a-f]{64})\"?");

    private final URI endpoint;
    private final Optional<String> token;

    /** @param environment as {@link System#getenv()} gives it; {@code HF_ENDPOINT} and {@code HF_TOKEN} are read */
    HubClient(Map<String, String> environment) {
        String base = environment.getOrDefault("HF_ENDPOINT", "https://huggingface.co");
        try {
            endpoint = URI.create(base.endsWith("/") ? base : base + "/");
        } catch (IllegalArgumentException e) {
            throw new LoricaException.BadInput(
                    "HF_ENDPOINT is '" + base + "', which is no address: " + e.getMessage(), e);
        }
        token = Optional.ofNullable(environment.get("HF_TOKEN")).filter(value -> !value.isBlank());
    }

    String host() {
        return endpoint.getAuthority();
    }

    /** A small text, for example an answer of the hub's API. */
    String text(String path) {
        try (HttpClient client = client()) {
            Answer answer = get(client, path, 0);
            try (InputStream body = answer.response().body()) {
                return new String(body.readAllBytes(), java.nio.charset.StandardCharsets.UTF_8);
            }
        } catch (IOException e) {
            throw unreachable(e);
        }
    }

    /** Fetches a file, continuing an earlier attempt; afterwards {@code target} is whole and checked. */
    void download(String path, Path target, FetchListener listener) {
        Path partial = target.resolveSibling(target.getFileName() + ".partial");
        try (HttpClient client = client()) {
            Files.createDirectories(partial.toAbsolutePath().getParent());
            Optional<String> sha256 = receive(client, path, partial, listener);
            if (sha256.isPresent() && !Hashing.sha256(partial).equals(sha256.get())) {
                String actual = Hashing.sha256(partial);
                Files.delete(partial);
                throw new LoricaException.BadInput(
                        path + " from " + host() + " has SHA-256 " + actual + ", the hub says " + sha256.get()
                                + "; the file was removed: try again, or look for what stands between here and the hub");
            }
            Files.move(partial, target, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
            AtomicFile.syncDirectory(target.getParent());
        } catch (IOException e) {
            throw unreachable(e);
        }
    }

    private Optional<String> receive(HttpClient client, String path, Path partial, FetchListener listener)
            throws IOException {
        for (int attempt = 1; ; attempt++) {
            long start = Files.exists(partial) ? Files.size(partial) : 0;
            Answer answer = get(client, path, start);
            try {
                append(answer, partial, start, listener);
                return answer.sha256();
            } catch (IOException e) {
                long now = Files.size(partial);
                if (attempt == MAX_ATTEMPTS) {
                    throw e;
                }
                listener.note("the connection to " + host() + " broke after " + now + " bytes of "
                        + partial.getFileName() + "; going on from there");
            }
        }
    }

    private static void append(Answer answer, Path partial, long start, FetchListener listener) throws IOException {
        HttpResponse<InputStream> response = answer.response();
        try (InputStream body = response.body()) {
            if (response.statusCode() == 416) {
                return; // nothing follows what is here already; the hash decides whether that is the file
            }
            long from = response.statusCode() == 206 ? start : 0;
            OptionalLong rest = response.headers().firstValueAsLong("content-length");
            long total = rest.isPresent() ? from + rest.getAsLong() : -1;
            try (OutputStream out = from > 0
                    ? Files.newOutputStream(partial, StandardOpenOption.APPEND)
                    : Files.newOutputStream(partial)) {
                byte[] chunk = new byte[CHUNK];
                long done = from;
                for (int n = body.read(chunk); n >= 0; n = body.read(chunk)) {
                    out.write(chunk, 0, n);
                    done += n;
                    listener.progress(answer.file(), done, total);
                }
            }
        }
    }

    /** @param sha256 of the whole file, where the hub states it */
    private record Answer(HttpResponse<InputStream> response, String file, Optional<String> sha256) {}

    /** Follows redirects by hand, since the hash stands in the hub's answer and not in that of the store behind it. */
    private Answer get(HttpClient client, String path, long start) throws IOException {
        URI address = endpoint.resolve(path);
        Optional<String> sha256 = Optional.empty();
        for (int redirects = 0; redirects <= MAX_REDIRECTS; redirects++) {
            HttpResponse<InputStream> response = send(client, address, start);
            sha256 = sha256.or(() -> hash(response));
            int status = response.statusCode();
            if (status == 200 || status == 206 || (status == 416 && start > 0)) {
                return new Answer(response, path.substring(path.lastIndexOf('/') + 1), sha256);
            }
            response.body().close();
            if (status < 300 || status >= 400) {
                throw refused(status, path);
            }
            String location = response.headers()
                    .firstValue("location")
                    .orElseThrow(() -> new IOException("a redirect without a target"));
            address = address.resolve(location);
        }
        throw new IOException("more than " + MAX_REDIRECTS + " redirects for " + path);
    }

    private static Optional<String> hash(HttpResponse<?> response) {
        return response.headers()
                .firstValue("x-linked-etag")
                .map(SHA256::matcher)
                .filter(matcher -> matcher.matches())
                .map(matcher -> matcher.group(1));
    }

    private HttpResponse<InputStream> send(HttpClient client, URI address, long start) throws IOException {
        HttpRequest.Builder request = HttpRequest.newBuilder(address)
                .timeout(RESPONSE)
                .header("User-Agent", "lorica")
                .header("Accept-Encoding", "identity");
        if (start > 0) {
            request.header("Range", "bytes=" + start + "-");
        }
        if (address.getAuthority().equals(endpoint.getAuthority())) {
            token.ifPresent(value -> request.header("Authorization", "Bearer " + value));
        }
        try {
            return client.send(request.build(), BodyHandlers.ofInputStream());
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new LoricaException.Internal("interrupted while talking to " + host(), e);
        }
    }

    private HttpClient client() throws IOException {
        requireName();
        return HttpClient.newBuilder()
                .connectTimeout(CONNECT)
                .version(HttpClient.Version.HTTP_1_1)
                .build();
    }

    /** Looks the name up within the time for connecting, which the client's own limit does not cover. */
    private void requireName() throws IOException {
        FutureTask<InetAddress> lookup = new FutureTask<>(() -> InetAddress.getByName(endpoint.getHost()));
        Thread.ofVirtual().start(lookup);
        try {
            lookup.get(CONNECT.toMillis(), TimeUnit.MILLISECONDS);
        } catch (TimeoutException | ExecutionException _) {
            throw new UnknownHostException(endpoint.getHost());
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new LoricaException.Internal("interrupted while looking up " + host(), e);
        }
    }

    private LoricaException refused(int status, String path) {
        String what = host() + " answered " + status + " to " + path;
        return switch (status) {
            case 401, 403 ->
                new LoricaException.BadInput(what + ": the repository is private, gated or does not exist; "
                        + (token.isPresent()
                                ? "check that HF_TOKEN may read it and that its terms were accepted"
                                : "set HF_TOKEN to a token that may read it, or check the name"));
            case 404 -> new LoricaException.NotFound(what + ": no such repository, revision or file; check the name");
            case 429 -> new LoricaException.Busy(what + ": too many requests; wait, or set HF_TOKEN");
            default -> new LoricaException.Busy(what + "; try again later");
        };
    }

    private LoricaException unreachable(IOException e) {
        String reason = switch (e) {
            case UnknownHostException _ -> "its name cannot be resolved";
            case java.net.http.HttpConnectTimeoutException _ -> "no connection within " + CONNECT.toSeconds() + " s";
            case ConnectException _ -> "the connection was refused";
            default -> e.toString();
        };
        return new LoricaException.Busy(
                host() + " is not reachable (" + reason + "); check the network, or set HF_ENDPOINT to a mirror");
    }
}
