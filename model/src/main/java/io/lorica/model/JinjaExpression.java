package io.lorica.model;

import io.lorica.tensor.LoricaException;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * The code of one tag, rewritten where Jinjava reads it otherwise than Jinja2, and refused where it knows a name not at
 * all: Jinjava passes over unknown filters and tests in silence.
 */
final class JinjaExpression {
    private static final Set<String> FILTERS = Set.of(
            "trim",
            "upper",
            "lower",
            "capitalize",
            "join",
            "map",
            "sort",
            "first",
            "last",
            "length",
            "count",
            "replace",
            "int",
            "default",
            "tojson",
            "selectattr",
            "rejectattr",
            "list",
            "reverse",
            "indent",
            "safe",
            "dictsort");
    private static final Set<String> TESTS = Set.of(
            "defined",
            "undefined",
            "none",
            "string",
            "number",
            "iterable",
            "mapping",
            "sequence",
            "boolean",
            "odd",
            "even",
            "divisibleby",
            "true",
            "false");
    private static final String OPERAND = "(?:\uE000\\d+\uE001|\\w+)(?:\\.\\w+|\\[[^\\[\\]]*])*";
    private static final Pattern NOT_FIRST = Pattern.compile("\\bnot\\s+(" + OPERAND + ")\\s+(in|is)\\b(?!\\s+not\\b)");
    private static final Pattern REVERSED = Pattern.compile("(" + OPERAND + ")\\[::-1](?=\\s|$)");
    private static final Pattern FILTER = Pattern.compile("\\|\\s*(\\w+)");
    private static final Pattern TEST = Pattern.compile("\\bis\\s+(?:not\\s+)?(\\w+)");
    private static final Pattern AND_ALONE = Pattern.compile("\\b(and|or)\\b");
    private static final Pattern CONDITION = Pattern.compile("\\bif\\b");

    private final String where;
    private final List<String> texts = new ArrayList<>();
    private String code;

    JinjaExpression(String code, String where) {
        this.where = where;
        this.code = hideTexts(code);
    }

    /** For a tag. */
    String checked() {
        require(FILTER, FILTERS, "filter");
        require(TEST, TESTS, "test");
        code = NOT_FIRST
                .matcher(code)
                .replaceAll(match -> match.group(1) + (match.group(2).equals("in") ? " not in" : " is not"));
        code = REVERSED.matcher(code).replaceAll("$1|reverse");
        code = parenthesizeNamespace(code).replace("}}", "} }").replace("{{", "{ {");
        for (int i = 0; i < texts.size(); i++) {
            code = code.replace("\uE000" + i + "\uE001", texts.get(i));
        }
        return code;
    }

    /** For an output: there Jinja2 writes the operand that decided, Jinjava "true". */
    String output() {
        if (AND_ALONE.matcher(code).find() && !CONDITION.matcher(code).find()) {
            throw JinjaDialect.unsupported(where, "writing the value of 'and' and 'or' is not supported");
        }
        return checked();
    }

    private void require(Pattern pattern, Set<String> known, String kind) {
        Matcher matcher = pattern.matcher(code);
        while (matcher.find()) {
            if (!known.contains(matcher.group(1))) {
                throw JinjaDialect.unsupported(where, "the " + kind + " '" + matcher.group(1) + "' is not supported");
            }
        }
    }

    /** {@code namespace(n=a - 1)} to {@code namespace(n=(a - 1))}: Jinjava binds the equals sign first. */
    private static String parenthesizeNamespace(String code) {
        int start = code.indexOf("namespace(");
        if (start < 0) {
            return code;
        }
        int from = start + "namespace(".length();
        StringBuilder result = new StringBuilder(code.substring(0, from));
        int depth = 1;
        boolean value = false;
        for (int i = from; i < code.length(); i++) {
            char c = code.charAt(i);
            depth += "([{".indexOf(c) >= 0 ? 1 : ")]}".indexOf(c) >= 0 ? -1 : 0;
            boolean ends = depth == 0 || (depth == 1 && c == ',');
            if (ends && value) {
                result.append(')');
                value = false;
            }
            result.append(c);
            if (depth == 1 && c == '=' && !value) {
                result.append('(');
                value = true;
            }
            if (depth == 0) {
                return result.append(code.substring(i + 1)).toString();
            }
        }
        return code; // not closed: the engine says so
    }

    private String hideTexts(String source) {
        StringBuilder result = new StringBuilder();
        for (int i = 0; i < source.length(); i++) {
            char c = source.charAt(i);
            if (c == '\'' || c == '"') {
                int end = endOfText(source, i);
                result.append('\uE000').append(texts.size()).append('\uE001');
                texts.add(source.substring(i, Math.min(end + 1, source.length())));
                i = end;
            } else {
                result.append(c);
            }
        }
        return result.toString();
    }

    /** Index of the quote that closes the text opened at {@code start}. */
    static int endOfText(String source, int start) {
        for (int i = start + 1; i < source.length(); i++) {
            if (source.charAt(i) == '\\') {
                i++;
            } else if (source.charAt(i) == source.charAt(start)) {
                return i;
            }
        }
        throw new LoricaException.Unsupported("chat template: a text opened with " + source.charAt(start)
                + " is not closed: " + source.substring(start, Math.min(start + 40, source.length())));
    }
}
