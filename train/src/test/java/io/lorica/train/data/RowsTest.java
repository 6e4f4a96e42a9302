package io.lorica.train.data;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.lorica.tensor.LoricaException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.DriverManager;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class RowsTest {
    @TempDir
    Path directory;

    @Test
    void forEach_jsonl_givesRowsInOrder() {
        assertThat(read("a.jsonl", "{\"a\":1}\n\n{\"a\":\"é\"}\n")).containsExactly("{\"a\":1}", "{\"a\":\"é\"}");
    }

    @Test
    void forEach_brokenJsonLine_namesTheLineAndTheReason() {
        assertThatThrownBy(() -> read("a.jsonl", "{\"a\":1}\n\n{\"a\":\n{\"a\":3}\n"))
                .isInstanceOf(LoricaException.BadInput.class)
                .hasMessageContaining("a.jsonl, line 3: not JSON");
    }

    @Test
    void forEach_lineThatIsNoObject_namesItsLineDespiteBlankOnes() {
        assertThatThrownBy(() -> read("a.jsonl", "{\"a\":1}\n\n[1]\n"))
                .hasMessageContaining("line 3: the row is a list");
    }

    @Test
    void forEach_duplicateKey_isRefused() {
        assertThatThrownBy(() -> read("a.jsonl", "{\"a\":1,\"a\":2}\n"))
                .hasMessageContaining("line 1")
                .hasMessageContaining("Duplicate field 'a'");
    }

    @Test
    void forEach_jsonList_givesItsObjects() {
        assertThat(read("a.json", "[{\"a\":1},\n{\"a\":2}]")).containsExactly("{\"a\":1}", "{\"a\":2}");
    }

    @Test
    void forEach_csvWithQuotesAndNewlines_readsThemAsOneValue() {
        assertThat(read("a.csv", "text,category\na,b\n\"c\nd, \"\"e\"\"\",f\n"))
                .containsExactly(
                        "{\"text\":\"a\",\"category\":\"b\"}", "{\"text\":\"c\\nd, \\\"e\\\"\",\"category\":\"f\"}");
    }

    @Test
    void forEach_csvRowWithTooFewValues_namesTheLine() {
        assertThatThrownBy(() -> read("a.csv", "text,category\na,b\nc\n"))
                .isInstanceOf(LoricaException.BadInput.class)
                .hasMessageContaining("a.csv")
                .hasMessageContaining("Line: 3");
    }

    @Test
    void forEach_tsv_takesQuotesToTheLetter() {
        assertThat(read("a.tsv", "text\tlabel\nan \"inch\t1\n"))
                .containsExactly("{\"text\":\"an \\\"inch\",\"label\":\"1\"}");
    }

    @Test
    void forEach_emptyFile_hasNoRows() throws IOException {
        Path file = Files.writeString(directory.resolve("a.jsonl"), "");

        assertThat(Rows.of(file).first()).isEmpty();
    }

    @Test
    void forEach_nameWithPatternCharactersAndQuotes_readsThatFile() throws IOException {
        Files.writeString(directory.resolve("ab.jsonl"), "{\"wrong\":1}\n");

        assertThat(read("a[b]'; DROP.jsonl", "{\"right\":1}\n")).containsExactly("{\"right\":1}");
    }

    @Test
    void forEach_parquet_keepsNestedValues() throws SQLException {
        Path file = directory.resolve("a.parquet");
        try (var connection = DriverManager.getConnection("jdbc:duckdb:");
                var statement = connection.createStatement()) {
            statement.execute("COPY (SELECT 1 AS a, [{'role': 'user', 'content': 'hi'}] AS messages) TO '" + file
                    + "' (FORMAT parquet)");
        }

        assertThat(texts(Rows.of(file)))
                .containsExactly("{\"a\":1,\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]}");
    }

    @Test
    void forEach_parquetThatIsNone_saysSo() {
        assertThatThrownBy(() -> read("a.parquet", "text"))
                .isInstanceOf(LoricaException.BadInput.class)
                .hasMessageContaining("a.parquet cannot be read");
    }

    @Test
    void of_missingFile_isNotFound() {
        assertThatThrownBy(() -> Rows.of(directory.resolve("none.csv"))).isInstanceOf(LoricaException.NotFound.class);
    }

    @Test
    void of_unknownEnding_listsTheKnown() {
        assertThatThrownBy(() -> read("a.xlsx", "x")).hasMessageContaining(".parquet");
    }

    private List<String> read(String name, String content) {
        try {
            return texts(Rows.of(Files.writeString(directory.resolve(name), content)));
        } catch (IOException e) {
            throw new IllegalStateException(e);
        }
    }

    private static List<String> texts(Rows rows) {
        List<String> all = new ArrayList<>();
        rows.forEach(row -> all.add(row.values().toString()));
        return all;
    }
}
