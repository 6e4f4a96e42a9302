package io.lorica.cli;

import io.lorica.tensor.LoricaException;
import java.util.Locale;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Numbers with units, as people write and read them. */
final class Units {
    private static final Pattern BYTES =
            Pattern.compile("(\\d+(?:\\.\\d+)?)\\s*([KMGT]?i?B?)", Pattern.CASE_INSENSITIVE);
    private static final Map<Character, Integer> POWERS = Map.of('K', 1, 'M', 2, 'G', 3, 'T', 4);

    private Units() {}

    /** {@code 134.5 M}. */
    static String count(long number) {
        if (number < 10_000) {
            return Long.toString(number);
        }
        return number < 1_000_000
                ? round(number / 1e3) + " k"
                : number < 1e9 ? round(number / 1e6) + " M" : round(number / 1e9) + " G";
    }

    /** {@code 1.5 GiB}. */
    static String bytes(long bytes) {
        if (bytes < 1024) {
            return bytes + " B";
        }
        int power = Math.min(4, (63 - Long.numberOfLeadingZeros(bytes)) / 10);
        return round(bytes / Math.pow(1024, power)) + " " + "KMGT".charAt(power - 1) + "iB";
    }

    private static String round(double value) {
        return String.format(Locale.ROOT, value < 100 ? "%.1f" : "%.0f", value);
    }

    /**
     * {@code 6GiB}, {@code 500 MB}, {@code 1.5g}: with {@code i} or without {@code B} powers of 1024, else of 1000.
     *
     * @param where the option, for messages
     */
    static long parseBytes(String text, String where) {
        Matcher matcher = BYTES.matcher(text.strip());
        if (!matcher.matches()) {
            throw new LoricaException.BadInput(
                    where + " is '" + text + "', but must be a size such as 6GiB, 500MB or 1073741824");
        }
        String unit = matcher.group(2).toUpperCase(Locale.ROOT);
        int power = unit.isEmpty() ? 0 : POWERS.getOrDefault(unit.charAt(0), 0);
        int base = unit.length() == 2 && unit.endsWith("B") ? 1000 : 1024;
        return (long) (Double.parseDouble(matcher.group(1)) * Math.pow(base, power));
    }
}
