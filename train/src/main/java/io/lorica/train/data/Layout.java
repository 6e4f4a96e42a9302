package io.lorica.train.data;

import io.lorica.tensor.LoricaException;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;

/** How the bytes of a data file make rows. */
public sealed interface Layout {

    /** One JSON object a line; the same, or a list of objects, in a {@code .json} file. */
    record Json(boolean lines) implements Layout {}

    /**
     * Text with a separator. Every value is read as text: nothing is guessed.
     *
     * @param quoted whether double quotes enclose values (CSV), or are literal (most TSV files)
     * @param header whether the first line names the columns
     * @param columns their names when it does not
     */
    record Separated(char separator, boolean quoted, boolean header, List<String> columns) implements Layout {
        public Separated {
            columns = List.copyOf(columns);
        }
    }

    record Parquet() implements Layout {}

    /** The whole file is one row with the column {@code text}. */
    record PlainText() implements Layout {}

    /** Each line is a row with the column {@code text}. */
    record Lines() implements Layout {}

    /** Tab-separated, quotes literal, with a header. */
    static Layout tsv() {
        return new Separated('\t', false, true, List.of());
    }

    /** Tab-separated, quotes literal, without a header. */
    static Layout tsv(String... columns) {
        return new Separated('\t', false, false, List.of(columns));
    }

    /** By the end of the name: jsonl, ndjson, json, csv, tsv, parquet, txt; {@code .gz} after it is allowed for text. */
    static Layout of(Path file) {
        String name = file.getFileName().toString().toLowerCase(Locale.ROOT);
        String plain = name.endsWith(".gz") ? name.substring(0, name.length() - 3) : name;
        String ending = plain.substring(plain.lastIndexOf('.') + 1);
        return switch (ending) {
            case "jsonl", "ndjson" -> new Json(true);
            case "json" -> new Json(false);
            case "csv" -> new Separated(',', true, true, List.of());
            case "tsv" -> tsv();
            case "parquet" -> new Parquet();
            case "txt" -> new PlainText();
            default ->
                throw new LoricaException.BadInput(file + ": a data file's name must end in .jsonl, .json, .csv, .tsv,"
                        + " .parquet or .txt; rename or convert it");
        };
    }
}
