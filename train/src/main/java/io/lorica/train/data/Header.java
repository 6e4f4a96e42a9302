package io.lorica.train.data;

import io.lorica.tensor.LoricaException;
import java.io.BufferedReader;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;

/** The names in the first line of a separated file, read here so that DuckDB has nothing to guess. */
final class Header {
    private Header() {}

    /** The columns of a file: those given, or those of its first line. A name that is empty becomes its place. */
    static List<String> of(Path file, Layout.Separated layout) {
        if (!layout.header()) {
            return layout.columns();
        }
        List<String> names = split(firstLine(file), layout);
        if (new HashSet<>(names).size() < names.size()) {
            throw new LoricaException.BadInput(
                    file + ", line 1: two columns have the same name (" + names + "); rename one");
        }
        return names;
    }

    private static String firstLine(Path file) {
        try (BufferedReader reader = BrokenFile.open(file)) {
            String line = reader.readLine();
            return line == null ? "" : line.startsWith("\uFEFF") ? line.substring(1) : line;
        } catch (IOException e) {
            throw new LoricaException.BadInput(file + " cannot be read as UTF-8 text (" + e + "); convert it", e);
        }
    }

    private static List<String> split(String line, Layout.Separated layout) {
        List<String> names = new ArrayList<>();
        StringBuilder name = new StringBuilder();
        boolean inside = false;
        for (int i = 0; i < line.length(); i++) {
            char c = line.charAt(i);
            if (layout.quoted() && c == '"') {
                boolean literal = inside && i + 1 < line.length() && line.charAt(i + 1) == '"';
                if (literal) {
                    name.append(line.charAt(++i));
                } else {
                    inside = !inside;
                }
            } else if (c == layout.separator() && !inside) {
                names.add(named(name, names.size()));
                name.setLength(0);
            } else {
                name.append(c);
            }
        }
        names.add(named(name, names.size()));
        return names;
    }

    private static String named(StringBuilder name, int index) {
        return name.isEmpty() ? "column" + (index + 1) : name.toString();
    }
}
