package io.lorica.server;

import io.helidon.common.buffers.BufferData;
import io.helidon.http.HttpPrologue;
import io.helidon.webserver.ConnectionContext;
import io.helidon.webserver.http1.Http1Config;
import io.helidon.webserver.http1.Http1ConnectionListener;
import io.helidon.webserver.http1.Http1ConnectionSelector;
import io.helidon.webserver.spi.ServerConnection;
import io.helidon.webserver.spi.ServerConnectionSelector;
import java.time.Duration;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ScheduledThreadPoolExecutor;
import java.util.concurrent.TimeUnit;

/** Makes a {@link Client} of each connection, and knows which one a thread serves: each has a thread of its own. */
final class Clients implements ServerConnectionSelector, Http1ConnectionListener, AutoCloseable {
    private static final ThreadLocal<Client> CURRENT = new ThreadLocal<>();

    private final ScheduledThreadPoolExecutor timer = new ScheduledThreadPoolExecutor(
            1, Thread.ofPlatform().daemon().name("lorica-timer").factory());
    private final Duration bodyTime;
    private final Http1ConnectionSelector http = Http1ConnectionSelector.builder()
            .config(Http1Config.builder().addReceiveListener(this).buildPrototype())
            .build();

    /** @param bodyTime how long a request may take to come in */
    Clients(Duration bodyTime) {
        this.bodyTime = bodyTime;
        timer.setRemoveOnCancelPolicy(true);
    }

    @Override
    public int bytesToIdentifyConnection() {
        return http.bytesToIdentifyConnection();
    }

    @Override
    public Support supports(BufferData data) {
        return http.supports(data);
    }

    @Override
    public Set<String> supportedApplicationProtocols() {
        return http.supportedApplicationProtocols();
    }

    @Override
    public ServerConnection connection(ConnectionContext connection) {
        return http.connection(new Client(connection));
    }

    @Override
    public void prologue(ConnectionContext connection, HttpPrologue prologue) {
        CURRENT.set((Client) connection);
        allow(bodyTime);
    }

    /** Gives the request that this thread takes in so long from now. */
    void allow(Duration time) {
        Client client = current();
        client.receiving(timer.schedule(client::abort, time.toMillis(), TimeUnit.MILLISECONDS));
    }

    @Override
    public void close() {
        timer.shutdownNow();
    }

    /** Whom this thread answers. */
    static Client current() {
        return Optional.ofNullable(CURRENT.get()).orElseThrow();
    }
}
