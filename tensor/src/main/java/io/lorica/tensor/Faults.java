package io.lorica.tensor;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** Collects what is wrong with one file, so that a person sees all of it at once. */
final class Faults {
    private static final int SHOWN = 8;

    private final Path file;
    private final List<String> shown = new ArrayList<>();
    private int count;

    Faults(Path file) {
        this.file = file;
    }

    void add(String fault) {
        if (count++ < SHOWN) {
            shown.add(fault);
        }
    }

    boolean isEmpty() {
        return count == 0;
    }

    /** @param advice what the person should do */
    void throwIfAny(String advice) {
        if (count == 0) {
            return;
        }
        String more = count > SHOWN ? "; and " + (count - SHOWN) + " more" : "";
        throw new LoricaException.BadInput(file + ": " + String.join("; ", shown) + more + "; " + advice);
    }

    /** The same three-part message for a fault after which reading cannot go on. */
    static LoricaException.BadInput fatal(Path file, String fault, String advice) {
        return new LoricaException.BadInput(file + ": " + fault + "; " + advice);
    }

    /** A name from a file, shortened and freed of control characters, fit for a message. */
    static String quote(String name) {
        String clean = name.codePoints()
                .limit(80)
                .map(c -> Character.isISOControl(c) ? '?' : c)
                .collect(StringBuilder::new, StringBuilder::appendCodePoint, StringBuilder::append)
                .toString();
        return "'" + clean + (name.codePointCount(0, name.length()) > 80 ? "…" : "") + "'";
    }
}
