package io.lorica.server;

import io.lorica.serve.engine.EngineOptions;
import io.lorica.server.access.Keys;
import io.lorica.tensor.LoricaException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * How a server listens and what it allows.
 *
 * @param name under which clients ask for the base itself
 * @param host address to bind; the default is reachable from this machine only
 * @param port to listen on; 0 for any free one
 * @param engine how much the engine takes on
 * @param answerTokens most tokens of a chat answer whose request says nothing
 * @param choices most answers of one request: its prompts times its {@code n}
 * @param bodyBytes largest body of a request
 * @param bodyTime how long a client may take to send it
 * @param answerTime how long an answer may take, waiting included
 * @param drainTime how long running requests may take to end when the server is asked to
 * @param streamTokens tokens that may wait for a reader of a stream who is slower than the engine; then it is cut off
 * @param keys who may ask for what
 * @param adapters directory below which adapters can be added while the server runs; null for none
 */
public record ServerOptions(
        String name,
        String host,
        int port,
        EngineOptions engine,
        int answerTokens,
        int choices,
        int bodyBytes,
        Duration bodyTime,
        Duration answerTime,
        Duration drainTime,
        int streamTokens,
        Keys keys,
        @Nullable Path adapters) {

    public ServerOptions {
        List<String> faults = new ArrayList<>();
        require(!name.isBlank(), "name", name, "not be empty", faults);
        require(port >= 0 && port <= 65_535, "port", port, "be from 0 to 65535", faults);
        require(answerTokens >= 1, "answer-tokens", answerTokens, "be at least 1", faults);
        require(choices >= 1, "choices", choices, "be at least 1", faults);
        require(bodyBytes >= 1024, "body-bytes", bodyBytes, "be at least 1024", faults);
        require(bodyTime.isPositive(), "body-time", bodyTime, "be longer than nothing", faults);
        require(answerTime.isPositive(), "answer-time", answerTime, "be longer than nothing", faults);
        require(!drainTime.isNegative(), "drain-time", drainTime, "not be negative", faults);
        require(streamTokens >= 1, "stream-tokens", streamTokens, "be at least 1", faults);
        if (!faults.isEmpty()) {
            throw new LoricaException.BadInput(String.join("\n", faults));
        }
    }

    /** The defaults: port 8000 of this machine, bodies up to 4 MiB, answers within ten minutes. */
    public static ServerOptions of(String name) {
        return new ServerOptions(
                name,
                "127.0.0.1",
                8000,
                EngineOptions.DEFAULT,
                1024,
                64,
                4 << 20,
                Duration.ofSeconds(30),
                Duration.ofMinutes(10),
                Duration.ofSeconds(30),
                512,
                Keys.none(),
                null);
    }

    public ServerOptions withAddress(String newHost, int newPort) {
        return new ServerOptions(
                name,
                newHost,
                newPort,
                engine,
                answerTokens,
                choices,
                bodyBytes,
                bodyTime,
                answerTime,
                drainTime,
                streamTokens,
                keys,
                adapters);
    }

    public ServerOptions withEngine(EngineOptions newEngine) {
        return new ServerOptions(
                name,
                host,
                port,
                newEngine,
                answerTokens,
                choices,
                bodyBytes,
                bodyTime,
                answerTime,
                drainTime,
                streamTokens,
                keys,
                adapters);
    }

    public ServerOptions withKeys(Keys newKeys) {
        return new ServerOptions(
                name,
                host,
                port,
                engine,
                answerTokens,
                choices,
                bodyBytes,
                bodyTime,
                answerTime,
                drainTime,
                streamTokens,
                newKeys,
                adapters);
    }

    /** @param directory below which adapters can be added while the server runs */
    public ServerOptions withAdapters(Path directory) {
        return new ServerOptions(
                name,
                host,
                port,
                engine,
                answerTokens,
                choices,
                bodyBytes,
                bodyTime,
                answerTime,
                drainTime,
                streamTokens,
                keys,
                directory);
    }

    private static void require(boolean holds, String key, Object value, String expected, List<String> faults) {
        if (!holds) {
            faults.add("server: '" + key + "' is " + value + ", but must " + expected);
        }
    }
}
