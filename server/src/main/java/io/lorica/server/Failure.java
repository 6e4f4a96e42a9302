package io.lorica.server;

import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.helidon.http.HttpException;
import io.helidon.http.RequestException;
import io.lorica.tensor.LoricaException;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * What went wrong with a request, in the shape of OpenAI's errors. The one place where a failure becomes a status.
 *
 * @param status of HTTP
 * @param message for a person
 * @param retrySeconds after how long trying again makes sense; 0 where it does not
 */
record Failure(int status, String message, int retrySeconds) {
    private static final System.Logger LOG = System.getLogger(Failure.class.getName());
    private static final Pattern KEY = Pattern.compile("\\bkey '([A-Za-z0-9_.]+)'");

    static Failure of(Throwable error) {
        return switch (error) {
            case LoricaException.Internal internal -> hidden(internal);
            case LoricaException known ->
                new Failure(known.kind().httpStatus(), message(known), known instanceof LoricaException.Busy ? 1 : 0);
            case HttpException http -> new Failure(http.status().code(), message(http), 0);
            case RequestException malformed -> new Failure(malformed.status().code(), message(malformed), 0);
            default -> hidden(error);
        };
    }

    /** What happened inside is for the log, not for whoever asks from outside. */
    private static Failure hidden(Throwable error) {
        LOG.log(System.Logger.Level.ERROR, "a request failed", error);
        return new Failure(500, "the server failed on this request; its log says why", 0);
    }

    private static String message(Throwable error) {
        return Optional.ofNullable(error.getMessage()).orElse("the request failed");
    }

    ObjectNode json() {
        ObjectNode root = JsonNodeFactory.instance.objectNode();
        ObjectNode error = root.putObject("error");
        error.put("message", message);
        error.put("type", type());
        Matcher key = KEY.matcher(message);
        error.put("param", status < 500 && key.find() ? key.group(1) : null);
        error.put("code", code());
        return root;
    }

    private String type() {
        return switch (status) {
            case 401, 403 -> "authentication_error";
            case 429 -> "rate_limit_error";
            default -> status < 500 ? "invalid_request_error" : "server_error";
        };
    }

    private String code() {
        return switch (status) {
            case 401 -> "invalid_api_key";
            case 403 -> "permission_denied";
            case 404 -> "not_found";
            case 405 -> "method_not_allowed";
            case 409 -> "incompatible";
            case 413 -> "body_too_large";
            case 415 -> "unsupported_media_type";
            case 422 -> "unsupported";
            case 429 -> "rate_limit_exceeded";
            case 503 -> "unavailable";
            case 504 -> "timeout";
            default -> status < 500 ? "invalid_request" : "internal_error";
        };
    }
}
