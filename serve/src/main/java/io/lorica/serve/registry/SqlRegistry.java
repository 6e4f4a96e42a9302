package io.lorica.serve.registry;

import io.lorica.adapter.Fingerprint;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;

/** A registry in SQLite or PostgreSQL: the same statements over one connection, which is made anew when it breaks. */
final class SqlRegistry implements AdapterRegistry {
    private static final String COLUMNS = "name, location, sha256, base_fingerprint, adapter_rank, bytes, added_millis";
    private static final String INSERT =
            "INSERT INTO adapters (" + COLUMNS + ") VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (name) DO ";
    private static final String ADD = INSERT + "NOTHING";
    private static final String PUT = INSERT
            + "UPDATE SET location = excluded.location, sha256 = excluded.sha256,"
            + " base_fingerprint = excluded.base_fingerprint, adapter_rank = excluded.adapter_rank,"
            + " bytes = excluded.bytes, added_millis = excluded.added_millis";
    private static final int CHECK_SECONDS = 2;

    private final Database database;
    private final ReentrantLock lock = new ReentrantLock();
    private @Nullable Connection connection;

    private SqlRegistry(Database database) {
        this.database = database;
    }

    static SqlRegistry open(Database database) {
        SqlRegistry registry = new SqlRegistry(database);
        try {
            registry.transaction(open -> {
                database.lockMigrations(open);
                Migrations.run(open);
                return true;
            });
            return registry;
        } catch (RuntimeException e) {
            registry.close();
            throw e;
        }
    }

    @FunctionalInterface
    private interface Work<T> {
        T on(Connection connection) throws SQLException;
    }

    @Override
    public List<RegisteredAdapter> list() {
        return with(open -> {
            try (PreparedStatement query = open.prepareStatement("SELECT " + COLUMNS + " FROM adapters ORDER BY name");
                    ResultSet rows = query.executeQuery()) {
                List<RegisteredAdapter> adapters = new ArrayList<>();
                while (rows.next()) {
                    adapters.add(row(rows));
                }
                return adapters;
            }
        });
    }

    @Override
    public Optional<RegisteredAdapter> find(String name) {
        return with(open -> {
            try (PreparedStatement query =
                    open.prepareStatement("SELECT " + COLUMNS + " FROM adapters WHERE name = ?")) {
                query.setString(1, name);
                try (ResultSet rows = query.executeQuery()) {
                    return rows.next() ? Optional.of(row(rows)) : Optional.empty();
                }
            }
        });
    }

    @Override
    public boolean add(RegisteredAdapter adapter) {
        return change(ADD, adapter);
    }

    @Override
    public void put(RegisteredAdapter adapter) {
        change(PUT, adapter);
    }

    @Override
    public boolean remove(String name) {
        return transaction(open -> {
            try (PreparedStatement delete = open.prepareStatement("DELETE FROM adapters WHERE name = ?")) {
                delete.setString(1, name);
                return counted(open, delete);
            }
        });
    }

    @Override
    public long version() {
        return with(open -> {
            try (PreparedStatement query = open.prepareStatement("SELECT version FROM changes");
                    ResultSet rows = query.executeQuery()) {
                rows.next();
                return rows.getLong(1);
            }
        });
    }

    private boolean change(String sql, RegisteredAdapter adapter) {
        return transaction(open -> {
            try (PreparedStatement insert = open.prepareStatement(sql)) {
                insert.setString(1, adapter.name());
                insert.setString(2, adapter.location().toString());
                insert.setString(3, adapter.sha256());
                insert.setString(4, adapter.base().map(Fingerprint::sha256).orElse(null));
                insert.setInt(5, adapter.rank());
                insert.setLong(6, adapter.bytes());
                insert.setLong(7, adapter.added().toEpochMilli());
                return counted(open, insert);
            }
        });
    }

    /** The count comes first: its row is the lock that gives changes of several servers one order. */
    private static boolean counted(Connection open, PreparedStatement change) throws SQLException {
        try (PreparedStatement count = open.prepareStatement("UPDATE changes SET version = version + 1")) {
            count.executeUpdate();
        }
        return change.executeUpdate() > 0;
    }

    private static RegisteredAdapter row(ResultSet row) throws SQLException {
        return new RegisteredAdapter(
                row.getString(1),
                Location.parse(row.getString(2)),
                row.getString(3),
                Optional.ofNullable(row.getString(4)).map(Fingerprint::new),
                row.getInt(5),
                row.getLong(6),
                Instant.ofEpochMilli(row.getLong(7)));
    }

    private <T> T transaction(Work<T> work) {
        return with(open -> {
            open.setAutoCommit(false);
            T result = work.on(open);
            open.commit();
            open.setAutoCommit(true);
            return result;
        });
    }

    private <T> T with(Work<T> work) {
        lock.lock();
        try {
            return work.on(connection());
        } catch (SQLException e) {
            throw discarded(database.failed(e));
        } catch (RuntimeException e) {
            throw discarded(e);
        } finally {
            lock.unlock();
        }
    }

    /** A connection on which something failed may be amid a transaction; closing it takes that back. */
    private RuntimeException discarded(RuntimeException failure) {
        try {
            close();
        } catch (RuntimeException e) {
            failure.addSuppressed(e);
        }
        return failure;
    }

    private Connection connection() throws SQLException {
        Connection open = connection;
        if (open == null || !open.isValid(CHECK_SECONDS)) {
            close();
            open = database.connect();
            connection = open;
        }
        return open;
    }

    @Override
    public void close() {
        lock.lock();
        try (Connection _ = connection) {
            connection = null;
        } catch (SQLException e) {
            throw database.failed(e);
        } finally {
            lock.unlock();
        }
    }
}
