package io.lorica.server;

import static java.nio.charset.StandardCharsets.UTF_8;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.StreamReadFeature;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.helidon.http.HeaderNames;
import io.helidon.http.HttpException;
import io.helidon.http.Status;
import io.helidon.webserver.http.ServerRequest;
import io.lorica.tensor.LoricaException;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Locale;
import java.util.regex.Pattern;

/** The body of a request: one JSON object in UTF-8, or a zip, no larger than allowed. */
final class Body {
    private static final JsonMapper JSON = JsonMapper.builder()
            .enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION)
            .enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS)
            .build();

    private static final long MOST_DRAINED = 64 << 20;

    private Body() {}

    /** @param most bytes */
    static ObjectNode read(ServerRequest request, int most) {
        requireType(request, "application/json", "JSON");
        byte[] bytes = bytes(request, most);
        if (bytes.length == 0) {
            throw new LoricaException.BadInput("the request has no body; send a JSON object");
        }
        return object(text(bytes));
    }

    /**
     * Writes a body that is a zip into a file.
     *
     * @param most bytes
     */
    static void save(ServerRequest request, Path file, long most) throws IOException {
        requireType(request, "application/zip", "the zip of an adapter's folder");
        if (!request.content().hasEntity()) {
            throw new LoricaException.BadInput("the request has no body; send a zip of an adapter's folder");
        }
        InputStream in = request.content().inputStream();
        try (OutputStream out = Files.newOutputStream(file)) {
            byte[] buffer = new byte[1 << 16];
            long size = 0;
            for (int count = in.read(buffer); count >= 0; count = in.read(buffer)) {
                size += count;
                if (size > most) {
                    throw tooLarge(in, most);
                }
                out.write(buffer, 0, count);
            }
        }
        Clients.current().received();
    }

    private static void requireType(ServerRequest request, String wanted, String what) {
        String type = request.headers().first(HeaderNames.CONTENT_TYPE).orElse(wanted);
        if (!type.toLowerCase(Locale.ROOT).strip().matches(Pattern.quote(wanted) + "(\\s*;.*)?")) {
            throw new HttpException(
                    "the body's Content-Type is '" + type + "'; send " + what + " as " + wanted,
                    Status.UNSUPPORTED_MEDIA_TYPE_415);
        }
    }

    /**
     * One byte more than allowed is enough to know. What a client goes on sending is read and thrown away, up to a
     * limit: a connection that closes on unread bytes would take the answer with it.
     */
    private static byte[] bytes(ServerRequest request, int most) {
        if (!request.content().hasEntity()) {
            return new byte[0];
        }
        try {
            InputStream in = request.content().inputStream();
            byte[] bytes = in.readNBytes(most + 1);
            if (bytes.length > most) {
                throw tooLarge(in, most);
            }
            Clients.current().received();
            return bytes;
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static HttpException tooLarge(InputStream in, long most) throws IOException {
        drain(in, Math.min(16 * most, MOST_DRAINED));
        return new HttpException(
                "the body is larger than the " + most + " bytes that this server takes; send less",
                Status.REQUEST_ENTITY_TOO_LARGE_413,
                false);
    }

    /**
     * Reads what a client sends that is refused whatever its body says, for the same reason. Who waits to be told to go on
     * ({@code Expect: 100-continue}) sends nothing.
     */
    static void discard(ServerRequest request) {
        if (!request.content().hasEntity()
                || request.content().consumed()
                || request.headers().contains(HeaderNames.EXPECT)) {
            return;
        }
        try {
            drain(request.content().inputStream(), MOST_DRAINED);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static void drain(InputStream in, long most) throws IOException {
        byte[] buffer = new byte[8192];
        int count = in.read(buffer);
        for (long read = 0; count >= 0 && read < most; read += count) {
            count = in.read(buffer);
        }
    }

    private static String text(byte[] bytes) {
        try {
            return UTF_8.newDecoder().decode(ByteBuffer.wrap(bytes)).toString();
        } catch (CharacterCodingException e) {
            throw new LoricaException.BadInput("the body is no valid UTF-8; encode its text as UTF-8", e);
        }
    }

    private static ObjectNode object(String text) {
        try {
            JsonNode node = JSON.readTree(text);
            if (node instanceof ObjectNode object) {
                return object;
            }
            throw new LoricaException.BadInput("the body is JSON, but no object; send {\"model\": …}");
        } catch (JsonProcessingException e) {
            String where = e.getLocation() == null
                    ? ""
                    : " at line " + e.getLocation().getLineNr() + ", column "
                            + e.getLocation().getColumnNr();
            throw new LoricaException.BadInput(
                    "the body is no valid JSON" + where + ": " + e.getOriginalMessage() + "; mend it", e);
        }
    }
}
