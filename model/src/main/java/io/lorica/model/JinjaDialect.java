package io.lorica.model;

import com.hubspot.jinjava.Jinjava;
import com.hubspot.jinjava.JinjavaConfig;
import com.hubspot.jinjava.LegacyOverrides;
import com.hubspot.jinjava.el.JinjavaInterpreterResolver;
import com.hubspot.jinjava.interpret.Context;
import com.hubspot.jinjava.interpret.InterpreterFactory;
import com.hubspot.jinjava.interpret.JinjavaInterpreter;
import com.hubspot.jinjava.interpret.TemplateError;
import com.hubspot.jinjava.lib.filter.Filter;
import com.hubspot.jinjava.lib.fn.ELFunctionDefinition;
import com.hubspot.jinjava.lib.tag.Tag;
import com.hubspot.jinjava.tree.Node;
import com.hubspot.jinjava.tree.TagNode;
import io.lorica.tensor.LoricaException;
import java.time.ZoneId;
import java.time.ZonedDateTime;
import java.time.format.DateTimeFormatter;
import java.util.Collection;
import java.util.Locale;
import java.util.Map;
import java.util.regex.Pattern;
import jinjava.javax.el.CompositeELResolver;
import org.jspecify.annotations.Nullable;

/**
 * Jinjava set up to read templates as transformers' Jinja2 does. What it reads otherwise is rewritten
 * ({@link JinjaSource}, {@link JinjaExpression}), replaced here, or refused.
 */
final class JinjaDialect {
    private static final Map<String, String> DATE_PARTS = Map.ofEntries(
            Map.entry("%Y", "uuuu"),
            Map.entry("%m", "MM"),
            Map.entry("%d", "dd"),
            Map.entry("%b", "MMM"),
            Map.entry("%B", "MMMM"),
            Map.entry("%a", "EEE"),
            Map.entry("%A", "EEEE"),
            Map.entry("%H", "HH"),
            Map.entry("%M", "mm"),
            Map.entry("%S", "ss"),
            Map.entry("%y", "uu"));
    private static final Jinjava ENGINE = create();

    private JinjaDialect() {}

    static Jinjava engine() {
        return ENGINE;
    }

    private static Jinjava create() {
        CompositeELResolver resolver = new CompositeELResolver();
        resolver.add(new PythonStrings());
        resolver.add(JinjavaInterpreterResolver.DEFAULT_RESOLVER_READ_ONLY);
        Jinjava jinjava = new Jinjava(JinjavaConfig.newBuilder()
                .withKeepTrailingNewline(true)
                .withNestedInterpretationEnabled(false) // a message that holds {{ }} is text
                .withElResolver(resolver)
                .withInterperterFactory(new Interpreters())
                .withLegacyOverrides(jinja2())
                .build());
        jinjava.registerFunction(
                new ELFunctionDefinition("", "raise_exception", JinjaDialect.class, "raise", String.class));
        jinjava.registerFunction(new ELFunctionDefinition("", "strftime_now", JinjaDialect.class, "now", String.class));
        jinjava.registerFilter(new ToJson());
        jinjava.registerFilter(new Length("length"));
        jinjava.registerFilter(new Length("count"));
        jinjava.registerTag(new GenerationTag());
        return jinjava;
    }

    /** Every way of Jinja2 but one: {@code {{'a'}}} needs no blank after the braces. */
    private static LegacyOverrides jinja2() {
        return LegacyOverrides.newBuilder()
                .withEvaluateMapKeys(true)
                .withIterateOverMapKeys(true)
                .withUsePyishObjectMapper(true)
                .withUseNaturalOperatorPrecedence(true)
                .withParseWhitespaceControlStrictly(true)
                .withAllowAdjacentTextNodes(true)
                .withUseTrimmingForNotesAndExpressions(true)
                .withKeepNullableLoopValues(true)
                .withHandleBackslashInQuotesOnly(true)
                .build();
    }

    /** Called by templates. */
    @SuppressWarnings("DoNotCallSuggester") // templates call it by name
    public static String raise(String message) {
        throw new Refusal(message);
    }

    /** Called by templates: the present time in Python's {@code strftime} pattern. */
    public static String now(String pattern) {
        String java = Pattern.compile("%.|[^%]+").matcher(pattern).replaceAll(match -> {
            String part = match.group();
            if (!part.startsWith("%")) {
                return "'" + part.replace("'", "''") + "'";
            }
            String known = DATE_PARTS.get(part);
            if (known == null) {
                throw new Missing("the date part '" + part + "' is not supported");
            }
            return known;
        });
        return ZonedDateTime.now(ZoneId.systemDefault()).format(DateTimeFormatter.ofPattern(java, Locale.ENGLISH));
    }

    static LoricaException.Unsupported unsupported(String where, String what) {
        return new LoricaException.Unsupported(where + ": the chat template cannot be rendered: " + what
                + "; write the prompt without a template, or simplify the template");
    }

    static LoricaException failure(TemplateError error, String where) {
        for (Throwable cause = error.getException(); cause != null; cause = cause.getCause()) {
            if (cause instanceof Refusal) {
                return new LoricaException.BadInput(
                        where + ": the chat template refuses these messages: " + cause.getMessage());
            }
            if (cause instanceof Missing) {
                return unsupported(where, String.valueOf(cause.getMessage()));
            }
        }
        return unsupported(where, "line " + error.getLineno() + ": " + error.getMessage());
    }

    private static final class Refusal extends RuntimeException {
        private static final long serialVersionUID = 1L;

        Refusal(String message) {
            super(message, null, false, false);
        }
    }

    /** Something that Jinja2 has and this dialect has not. */
    static final class Missing extends RuntimeException {
        private static final long serialVersionUID = 1L;

        Missing(String message) {
            super(message, null, false, false);
        }
    }

    private static final class Interpreters implements InterpreterFactory {
        @Override
        public JinjavaInterpreter newInstance(JinjavaInterpreter original) {
            return new PythonInterpreter(original);
        }

        @Override
        public JinjavaInterpreter newInstance(Jinjava application, Context context, JinjavaConfig config) {
            return new PythonInterpreter(application, context, config);
        }
    }

    /** Writes values as Python does. */
    private static final class PythonInterpreter extends JinjavaInterpreter {
        PythonInterpreter(JinjavaInterpreter original) {
            super(original);
        }

        PythonInterpreter(Jinjava application, Context context, JinjavaConfig config) {
            super(application, context, config);
        }

        @Override
        public String getAsString(@Nullable Object value) {
            return value instanceof Boolean || value instanceof Map || value instanceof Collection
                    ? PythonText.repr(value)
                    : super.getAsString(value);
        }
    }

    /** Marks what the assistant wrote; here it only writes it. */
    private static final class GenerationTag implements Tag {
        private static final long serialVersionUID = 1L;

        @Override
        public String getName() {
            return "generation";
        }

        @Override
        public String interpret(TagNode tag, JinjavaInterpreter interpreter) {
            StringBuilder result = new StringBuilder();
            for (Node child : tag.getChildren()) {
                result.append(child.render(interpreter).getValue());
            }
            return result.toString();
        }
    }

    private static final class ToJson implements Filter {
        @Override
        public String getName() {
            return "tojson";
        }

        @Override
        public Object filter(
                @Nullable Object value, JinjavaInterpreter interpreter, Object[] arguments, Map<String, Object> named) {
            Object indent = named.getOrDefault("indent", arguments.length > 0 ? arguments[0] : -1);
            return PythonText.json(value, ((Number) indent).intValue());
        }

        @Override
        public Object filter(@Nullable Object value, JinjavaInterpreter interpreter, String... arguments) {
            return PythonText.json(value, -1);
        }
    }

    /** Texts count in code points. */
    private record Length(String getName) implements Filter {
        @Override
        public Object filter(@Nullable Object value, JinjavaInterpreter interpreter, String... arguments) {
            return switch (value) {
                case null -> 0L;
                case CharSequence text -> Character.codePointCount(text, 0, text.length());
                case Collection<?> list -> list.size();
                case Map<?, ?> map -> map.size();
                default -> throw new Missing("the length of " + value + " is not supported");
            };
        }
    }
}
