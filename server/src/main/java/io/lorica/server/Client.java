package io.lorica.server;

import io.helidon.common.buffers.DataReader;
import io.helidon.common.buffers.DataWriter;
import io.helidon.common.socket.HelidonSocket;
import io.helidon.common.socket.PeerInfo;
import io.helidon.webserver.ConnectionContext;
import io.helidon.webserver.ListenerContext;
import io.helidon.webserver.ProxyProtocolData;
import io.helidon.webserver.Router;
import io.helidon.webserver.ServerConnectionException;
import java.io.UncheckedIOException;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Future;
import org.jspecify.annotations.Nullable;

/**
 * A connection that can tell whether the other side is still there while its answer is being made. Only a read tells, so
 * {@link #watch} reads ahead on a thread of its own, and the next read of the connection takes what that one got.
 */
final class Client implements ConnectionContext {
    private final ConnectionContext connection;
    private final DataReader reader;
    private @Nullable Future<?> deadline;
    private volatile @Nullable CompletableFuture<byte @Nullable []> ahead;

    Client(ConnectionContext connection) {
        this.connection = connection;
        reader = DataReader.create(this::read);
    }

    /** @return null at the end of the connection */
    @SuppressWarnings("NullAway") // DataReader means null by the end
    private byte[] read() {
        CompletableFuture<byte @Nullable []> begun = ahead;
        try {
            if (begun == null) {
                return serverSocket().get();
            }
            ahead = null;
            return begun.get();
        } catch (UncheckedIOException | ExecutionException e) {
            throw new ServerConnectionException("the connection broke while it was read", e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            abort(); // the server stops; who reads ahead must stop too
            throw new ServerConnectionException("the connection was closed while it was idle", e);
        }
    }

    /** A request has begun to come in. */
    void receiving(Future<?> newDeadline) {
        received();
        deadline = newDeadline;
    }

    /** It is there. */
    void received() {
        Future<?> passed = deadline;
        if (passed != null) {
            passed.cancel(false);
            deadline = null;
        }
    }

    /** Begins to watch, on the connection's own thread, when the request has been read whole. */
    void watch() {
        if (ahead == null) {
            ahead = CompletableFuture.supplyAsync(serverSocket(), Thread::startVirtualThread);
        }
    }

    /** Whether the other side has closed the connection since {@link #watch}, or it broke. */
    boolean gone() {
        CompletableFuture<byte @Nullable []> begun = ahead;
        return begun != null && begun.isDone() && (begun.isCompletedExceptionally() || begun.join() == null);
    }

    /** Breaks the connection, whatever it is doing. */
    void abort() {
        serverSocket().close();
    }

    @Override
    public DataReader dataReader() {
        return reader;
    }

    @Override
    public ListenerContext listenerContext() {
        return connection.listenerContext();
    }

    @Override
    public ExecutorService executor() {
        return connection.executor();
    }

    @Override
    public DataWriter dataWriter() {
        return connection.dataWriter();
    }

    @Override
    public Router router() {
        return connection.router();
    }

    @Override
    public Optional<ProxyProtocolData> proxyProtocolData() {
        return connection.proxyProtocolData();
    }

    @Override
    public HelidonSocket serverSocket() {
        return connection.serverSocket();
    }

    @Override
    public PeerInfo remotePeer() {
        return connection.remotePeer();
    }

    @Override
    public PeerInfo localPeer() {
        return connection.localPeer();
    }

    @Override
    public boolean isSecure() {
        return connection.isSecure();
    }

    @Override
    public String socketId() {
        return connection.socketId();
    }

    @Override
    public String childSocketId() {
        return connection.childSocketId();
    }
}
