package io.lorica.model;

import com.hubspot.jinjava.Jinjava;
import com.hubspot.jinjava.JinjavaConfig;
import com.hubspot.jinjava.LegacyOverrides;
import com.hubspot.jinjava.interpret.TemplateError;
import com.hubspot.jinjava.lib.fn.ELFunctionDefinition;
import io.lorica.tensor.LoricaException;

/** Jinjava set up to read templates as transformers' Jinja2 does. */
final class JinjaDialect {
    private static final Jinjava ENGINE = create();

    private JinjaDialect() {}

    static Jinjava engine() {
        return ENGINE;
    }

    private static Jinjava create() {
        Jinjava jinjava = new Jinjava(JinjavaConfig.newBuilder()
                .withTrimBlocks(true)
                .withLstripBlocks(true)
                .withKeepTrailingNewline(
                        true) // Jinjava would take it from the output, Jinja2 takes it from the template
                .withNestedInterpretationEnabled(false) // a message that holds {{ }} is text
                .withLegacyOverrides(jinja2())
                .build());
        jinjava.registerFunction(
                new ELFunctionDefinition("", "raise_exception", JinjaDialect.class, "raise", String.class));
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

    static String translate(String source, String where) {
        return source.endsWith("\n") ? source.substring(0, source.length() - 1) : source;
    }

    static LoricaException failure(TemplateError error, String where) {
        for (Throwable cause = error.getException(); cause != null; cause = cause.getCause()) {
            if (cause instanceof Refusal) {
                return new LoricaException.BadInput(
                        where + ": the chat template refuses these messages: " + cause.getMessage());
            }
        }
        return new LoricaException.Unsupported(where + ": the chat template cannot be rendered, line "
                + error.getLineno() + ": " + error.getMessage()
                + "; write the prompt without a template, or simplify the template");
    }

    private static final class Refusal extends RuntimeException {
        private static final long serialVersionUID = 1L;

        Refusal(String message) {
            super(message, null, false, false);
        }
    }
}
