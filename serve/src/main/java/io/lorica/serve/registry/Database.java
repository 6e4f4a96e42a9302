package io.lorica.serve.registry;

import io.lorica.tensor.LoricaException;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.Properties;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;

/**
 * A database by its URL, and the little in which the two kinds differ.
 *
 * @param url for JDBC
 * @param shown for messages: without what follows the question mark, which may hold a password
 */
record Database(Kind kind, String url, String shown) {
    private static final String SQLITE = "sqlite:";
    private static final String POSTGRES = "jdbc:postgresql:";
    private static final int WAIT_SECONDS = 10;

    /** SQLite's result code for a file that another connection has locked. */
    private static final int SQLITE_BUSY = 5;

    /** Any number, the same for all: who migrates holds this lock of PostgreSQL's. */
    private static final long MIGRATION_LOCK = 0x4C6F72696361L;

    enum Kind {
        SQLITE,
        POSTGRES
    }

    static Database parse(String url) {
        if (url.startsWith(POSTGRES)) {
            return new Database(Kind.POSTGRES, url, url.replaceFirst("\\?.*", ""));
        }
        String file = url.startsWith(SQLITE) ? url.substring(SQLITE.length()) : "";
        if (file.isBlank() || file.contains("?")) {
            throw new LoricaException.BadInput("registry '" + url.replaceFirst("\\?.*", "")
                    + "' is not understood; write sqlite:FILE or jdbc:postgresql://host/database");
        }
        return new Database(Kind.SQLITE, "jdbc:" + url, url);
    }

    /**
     * A new connection, which commits by itself. The first one to a file of SQLite switches it to a write-ahead log; whoever
     * opens it at that moment is turned away at once, whatever its {@code busy_timeout} says, so it is tried again here.
     */
    Connection connect() throws SQLException {
        long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(WAIT_SECONDS);
        while (true) {
            try {
                return DriverManager.getConnection(url, properties());
            } catch (SQLException e) {
                if (kind != Kind.SQLITE || e.getErrorCode() != SQLITE_BUSY || System.nanoTime() > end) {
                    throw e;
                }
                LockSupport.parkNanos(TimeUnit.MILLISECONDS.toNanos(10));
            }
        }
    }

    /**
     * SQLite: with a write-ahead log readers never wait for writers, {@code FULL} has a commit on disk before it is
     * acknowledged, and a transaction that will write takes its lock at once, so that two never block each other.
     */
    private Properties properties() {
        Properties properties = new Properties();
        switch (kind) {
            case SQLITE -> {
                properties.setProperty("busy_timeout", Integer.toString(1000 * WAIT_SECONDS));
                properties.setProperty("journal_mode", "WAL");
                properties.setProperty("synchronous", "FULL");
                properties.setProperty("transaction_mode", "IMMEDIATE");
            }
            case POSTGRES -> {
                properties.setProperty("ApplicationName", "lorica");
                properties.setProperty("connectTimeout", Integer.toString(WAIT_SECONDS));
                properties.setProperty("socketTimeout", Integer.toString(WAIT_SECONDS));
                properties.setProperty("tcpKeepAlive", "true");
            }
        }
        return properties;
    }

    /** Keeps others from migrating until the transaction ends. */
    void lockMigrations(Connection connection) throws SQLException {
        if (kind == Kind.POSTGRES) {
            try (Statement statement = connection.createStatement()) {
                statement.execute("SELECT pg_advisory_xact_lock(" + MIGRATION_LOCK + ")");
            }
        }
    }

    LoricaException failed(SQLException e) {
        return new LoricaException.Internal(
                "registry " + shown + " failed: " + e.getMessage()
                        + "; see that the database can be reached and written, then try again",
                e);
    }
}
