package io.lorica.train.data;

import java.nio.file.Path;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.Properties;
import java.util.stream.Collectors;

/** The embedded database that reads data files: streaming, no extension from the network, names as parameters. */
final class DuckDb {
    private DuckDb() {}

    /** @param streaming rows as they are read; errors then lose their text, see {@link BrokenFile} */
    static Connection connect(boolean streaming) throws SQLException {
        Properties properties = new Properties();
        properties.setProperty("jdbc_stream_results", Boolean.toString(streaming));
        Connection connection = DriverManager.getConnection("jdbc:duckdb:", properties);
        try (Statement statement = connection.createStatement()) {
            statement.execute("SET autoinstall_known_extensions = false");
            statement.execute("SET autoload_known_extensions = false");
            statement.execute("SET preserve_insertion_order = true");
            statement.execute("SET threads = 2");
        }
        return connection;
    }

    /** A query with one column {@code row}: each row as JSON text. Its one parameter is {@link #pattern}. */
    static String query(Path file, Layout layout) {
        return switch (layout) {
            case Layout.Json json ->
                "SELECT json::VARCHAR AS row FROM "
                        + (json.lines() ? "read_ndjson_objects(?)" : "read_json_objects(?)");
            case Layout.Parquet _ -> "SELECT to_json(t)::VARCHAR AS row FROM read_parquet(?) t";
            case Layout.Separated separated -> csv(options(file, separated));
            case Layout.Lines _ ->
                csv("auto_detect = false, delim = '\u0001', quote = '', escape = '', header = false,"
                        + " columns = {'text': 'VARCHAR'}");
            case Layout.PlainText _ -> throw new IllegalArgumentException("a plain text is one row");
        };
    }

    static PreparedStatement prepare(Connection connection, String sql, Path file) throws SQLException {
        PreparedStatement statement = connection.prepareStatement(sql);
        try {
            statement.setString(1, pattern(file));
            return statement;
        } catch (SQLException e) {
            statement.close();
            throw e;
        }
    }

    private static String csv(String options) {
        return "SELECT to_json(t)::VARCHAR AS row FROM read_csv(?, " + options + ") t";
    }

    private static String options(Path file, Layout.Separated layout) {
        String quote = layout.quoted() ? "'\"'" : "''";
        String columns = Header.of(file, layout).stream()
                .map(name -> "'" + name.replace("'", "''") + "': 'VARCHAR'")
                .collect(Collectors.joining(", "));
        return "auto_detect = false, delim = '" + layout.separator() + "', quote = " + quote + ", escape = " + quote
                + ", header = " + layout.header() + ", columns = {" + columns + "}";
    }

    /** DuckDB reads {@code * ? [} in a name as a pattern; a class of one character means that character. */
    private static String pattern(Path file) {
        return file.toAbsolutePath().toString().replaceAll("([*?\\[])", "[$1]");
    }
}
