package io.lorica.model;

import io.lorica.tensor.LoricaException;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Prepares a template for Jinjava: settles white space as Jinja2 does with {@code trim_blocks} and
 * {@code lstrip_blocks} (Jinjava strips in the middle of lines too), drops comments, checks the tags, and hands each
 * expression to {@link JinjaExpression}.
 */
final class JinjaSource {
    private static final Set<String> TAGS = Set.of(
            "if",
            "elif",
            "else",
            "endif",
            "for",
            "endfor",
            "set",
            "endset",
            "macro",
            "endmacro",
            "break",
            "continue",
            "generation",
            "endgeneration");
    private static final Pattern RAW_END = Pattern.compile("\\{%([-+]?)\\s*endraw\\s*([-+]?)%}");

    private final String source;
    private final String where;
    private final StringBuilder result = new StringBuilder();
    private final Deque<String> open = new ArrayDeque<>();
    private int at;
    private String stripNext = ""; // the sign at the end of the tag before the text
    private boolean afterBlock;

    private JinjaSource(String source, String where) {
        this.source = source.endsWith("\n") ? source.substring(0, source.length() - 1) : source;
        this.where = where;
    }

    static String prepare(String source, String where) {
        return new JinjaSource(source, where).prepare();
    }

    private String prepare() {
        while (at < source.length()) {
            int tag = nextTag();
            String text = source.substring(at, tag);
            boolean lineStart = at == 0 || (afterBlock && text.startsWith("\n") && !stripNext.equals("+"));
            at = tag;
            if (tag == source.length()) {
                result.append(start(text));
                break;
            }
            char kind = source.charAt(tag + 1);
            String sign = sign(tag + 2);
            String leading = start(text);
            result.append(end(leading, kind, sign, lineStart));
            at = tag + 2 + sign.length();
            tag(kind);
        }
        return result.toString();
    }

    private int nextTag() {
        for (int i = at; i + 1 < source.length(); i++) {
            if (source.charAt(i) == '{' && "{%#".indexOf(source.charAt(i + 1)) >= 0) {
                return i;
            }
        }
        return source.length();
    }

    private String sign(int index) {
        char c = index < source.length() ? source.charAt(index) : ' ';
        return c == '-' || c == '+' ? Character.toString(c) : "";
    }

    /** The text after a tag, without what the tag's end takes away. */
    private String start(String text) {
        if (stripNext.equals("-")) {
            return text.stripLeading();
        }
        return afterBlock && !stripNext.equals("+") && text.startsWith("\n") ? text.substring(1) : text;
    }

    /** The text before a tag, without what the tag's beginning takes away. */
    private static String end(String text, char kind, String sign, boolean lineStart) {
        if (sign.equals("-")) {
            return text.stripTrailing();
        }
        if (kind == '{' || sign.equals("+")) {
            return text;
        }
        int line = text.lastIndexOf('\n') + 1;
        boolean begins = line > 0 || lineStart;
        return begins && text.substring(line).isBlank() ? text.substring(0, line) : text;
    }

    private void tag(char kind) {
        if (kind == '#') {
            int end = source.indexOf("#}", at);
            if (end < 0) {
                throw unsupported("a comment is not closed");
            }
            finish(end, true);
            return;
        }
        int end = close(kind == '{' ? "}}" : "%}");
        String code =
                source.substring(at, Math.max(at, end - sign(end - 1).length())).strip();
        finish(end, kind == '%');
        if (kind == '{') {
            result.append("{{ ")
                    .append(new JinjaExpression(code, where).output())
                    .append(" }}");
        } else if (code.equals("raw")) {
            raw();
        } else {
            block(code);
        }
    }

    private void finish(int end, boolean block) {
        stripNext = sign(end - 1);
        afterBlock = block;
        at = end + 2;
    }

    /** Where a tag ends, braces and texts inside it skipped. */
    private int close(String mark) {
        int depth = 0;
        for (int i = at; i < source.length(); i++) {
            char c = source.charAt(i);
            if (c == '\'' || c == '"') {
                i = JinjaExpression.endOfText(source, i);
            } else if (depth == 0 && source.startsWith(mark, i)) {
                return i;
            } else {
                depth += c == '{' ? 1 : c == '}' ? -1 : 0;
            }
        }
        throw unsupported("a tag is not closed with " + mark);
    }

    private void raw() {
        Matcher end = RAW_END.matcher(source);
        if (!end.find(at)) {
            throw unsupported("a raw block is not closed");
        }
        String text = start(source.substring(at, end.start()));
        text = end.group(1).equals("-") ? text.stripTrailing() : text;
        result.append("{% raw %}").append(text).append("{% endraw %}");
        stripNext = end.group(2);
        afterBlock = true;
        at = end.end();
    }

    private void block(String code) {
        String name = code.split("[^A-Za-z_]", 2)[0];
        if (!TAGS.contains(name)) {
            throw unsupported("the tag '" + name + "' is not supported");
        }
        if (name.equals("else") && "for".equals(open.peek())) {
            throw unsupported("'else' of a loop is not supported");
        }
        if (name.equals("end" + open.peek())) {
            open.pop();
        } else if (name.equals("if") || name.equals("for") || name.equals("macro")) {
            open.push(name);
        }
        result.append("{% ").append(new JinjaExpression(code, where).checked()).append(" %}");
    }

    private LoricaException.Unsupported unsupported(String what) {
        return JinjaDialect.unsupported(where, what);
    }
}
