package io.lorica.server;

import static java.nio.charset.StandardCharsets.UTF_8;

import io.helidon.http.Header;
import io.helidon.http.HeaderNames;
import io.helidon.http.HeaderValues;
import io.helidon.http.Method;
import io.helidon.http.Status;
import io.helidon.webserver.http.Handler;
import io.lorica.server.access.Keys;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Objects;

/**
 * The web page at {@code /}: files that anybody may have, which ask for everything else with the key of whoever looks.
 * Nothing on it comes from elsewhere, and its policy has the browser hold to that.
 */
final class Page {
    private static final List<String> FILES = List.of(
            "index.html",
            "page.css",
            "page.js",
            "api.js",
            "chat.js",
            "adapters.js",
            "charts.js",
            "upload.js",
            "zip.js",
            "icon.svg");
    private static final Map<String, String> TYPES = Map.of(
            "html", "text/html; charset=utf-8",
            "css", "text/css; charset=utf-8",
            "js", "text/javascript; charset=utf-8",
            "svg", "image/svg+xml");
    private static final Header POLICY = HeaderValues.create(
            "Content-Security-Policy",
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self';"
                    + " base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'");
    private static final List<Header> HEADERS = List.of(
            POLICY,
            HeaderValues.create("X-Content-Type-Options", "nosniff"),
            HeaderValues.create("Referrer-Policy", "no-referrer"),
            HeaderValues.create(HeaderNames.CACHE_CONTROL, "no-cache")); // asks again, which the tag makes cheap

    private Page() {}

    static void addTo(Routes routes) {
        routes.open(Method.GET, "/", file(FILES.getFirst()));
        for (String name : FILES) {
            routes.open(Method.GET, "/page/" + name, file(name));
        }
    }

    private static Handler file(String name) {
        byte[] content = read(name);
        String type = Objects.requireNonNull(TYPES.get(name.substring(name.indexOf('.') + 1)), name);
        String tag = '"' + Keys.hash(new String(content, UTF_8)).substring(0, 32) + '"';
        return (request, response) -> {
            HEADERS.forEach(response::header);
            response.header(HeaderNames.ETAG, tag);
            if (matches(request.headers().first(HeaderNames.IF_NONE_MATCH).orElse(""), tag)) {
                response.status(Status.NOT_MODIFIED_304).send();
                return;
            }
            response.header(HeaderNames.CONTENT_TYPE, type);
            response.send(content);
        };
    }

    /** A proxy that compresses makes a tag weak; it names the same file. */
    private static boolean matches(String known, String tag) {
        return Arrays.stream(known.split(","))
                .anyMatch(one -> one.strip().replaceFirst("^W/", "").equals(tag));
    }

    private static byte[] read(String name) {
        try (InputStream in = Objects.requireNonNull(Page.class.getResourceAsStream("page/" + name), name)) {
            return in.readAllBytes();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
