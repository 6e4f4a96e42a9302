package io.lorica.model;

import java.beans.FeatureDescriptor;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.Iterator;
import java.util.List;
import jinjava.javax.el.ELContext;
import jinjava.javax.el.ELResolver;
import org.jspecify.annotations.Nullable;

/** Python's methods of texts, which templates call; Jinjava would look for Java's. */
final class PythonStrings extends ELResolver {

    @Override
    public @Nullable Object invoke(
            ELContext context,
            @Nullable Object base,
            Object method,
            Class<?> @Nullable [] types,
            @Nullable Object @Nullable [] arguments) {
        if (!(base instanceof CharSequence text)) {
            return null;
        }
        List<@Nullable Object> given = arguments == null ? List.of() : Arrays.asList(arguments);
        Object result = call(text.toString(), method.toString(), given);
        context.setPropertyResolved(true);
        return result;
    }

    private static Object call(String text, String method, List<@Nullable Object> given) {
        return switch (method + given.size()) {
            case "strip0" -> text.strip();
            case "lstrip0" -> text.stripLeading();
            case "rstrip0" -> text.stripTrailing();
            case "strip1" -> strip(text, argument(given, 0), true, true);
            case "lstrip1" -> strip(text, argument(given, 0), true, false);
            case "rstrip1" -> strip(text, argument(given, 0), false, true);
            case "upper0" -> text.toUpperCase(java.util.Locale.ROOT);
            case "lower0" -> text.toLowerCase(java.util.Locale.ROOT);
            case "startswith1" -> text.startsWith(argument(given, 0));
            case "endswith1" -> text.endsWith(argument(given, 0));
            case "replace2" -> text.replace(argument(given, 0), argument(given, 1));
            case "find1" -> (long) text.indexOf(argument(given, 0));
            case "count1" ->
                (long) split(text, argument(given, 0), Integer.MAX_VALUE).size() - 1;
            case "split0" -> text.isBlank() ? List.of() : List.of(text.strip().split("\\s+"));
            case "split1" -> split(text, argument(given, 0), Integer.MAX_VALUE);
            case "split2" -> split(text, argument(given, 0), Integer.parseInt(argument(given, 1)));
            default ->
                throw new JinjaDialect.Missing(
                        "the text method '" + method + "' with " + given.size() + " arguments is not supported");
        };
    }

    private static String argument(List<@Nullable Object> given, int index) {
        Object value = given.get(index);
        if (value == null) {
            throw new JinjaDialect.Missing("a text method was given no value");
        }
        return value.toString();
    }

    private static String strip(String text, String characters, boolean left, boolean right) {
        int start = 0;
        int end = text.length();
        while (left && start < end && characters.indexOf(text.charAt(start)) >= 0) {
            start++;
        }
        while (right && end > start && characters.indexOf(text.charAt(end - 1)) >= 0) {
            end--;
        }
        return text.substring(start, end);
    }

    private static List<String> split(String text, String separator, int cuts) {
        if (separator.isEmpty()) {
            throw new JinjaDialect.Missing("a text cannot be split at the empty text");
        }
        List<String> parts = new ArrayList<>();
        int from = 0;
        for (int at = text.indexOf(separator); at >= 0 && parts.size() < cuts; at = text.indexOf(separator, from)) {
            parts.add(text.substring(from, at));
            from = at + separator.length();
        }
        parts.add(text.substring(from));
        return parts;
    }

    @Override
    public @Nullable Object getValue(ELContext context, @Nullable Object base, @Nullable Object property) {
        return null; // the next resolver's
    }

    @Override
    public @Nullable Class<?> getType(ELContext context, @Nullable Object base, @Nullable Object property) {
        return null;
    }

    @Override
    public void setValue(ELContext context, @Nullable Object base, @Nullable Object property, @Nullable Object value) {
        // the next resolver's
    }

    @Override
    public boolean isReadOnly(ELContext context, @Nullable Object base, @Nullable Object property) {
        return true;
    }

    @Override
    public Iterator<FeatureDescriptor> getFeatureDescriptors(ELContext context, @Nullable Object base) {
        return Collections.emptyIterator();
    }

    @Override
    public @Nullable Class<?> getCommonPropertyType(ELContext context, @Nullable Object base) {
        return null;
    }
}
