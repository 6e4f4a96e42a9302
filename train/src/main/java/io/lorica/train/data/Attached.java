package io.lorica.train.data;

import io.lorica.tensor.LoricaException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;

/** The files that belong to a text: a row's columns name them, or somebody who asks a question. */
public interface Attached {

    /** Those of some columns, in order. */
    List<Path> files(String... columns);

    /** An error that says whose files are at fault. */
    LoricaException.BadInput bad(String what);

    /** The files of a single question. */
    static Attached of(Map<String, List<Path>> byColumn) {
        return new Attached() {
            @Override
            public List<Path> files(String... columns) {
                return Arrays.stream(columns)
                        .flatMap(column -> byColumn.getOrDefault(column, List.of()).stream())
                        .toList();
            }

            @Override
            public LoricaException.BadInput bad(String what) {
                return new LoricaException.BadInput("the prompt: " + what);
            }
        };
    }
}
