package io.lorica.cli;

import java.util.Locale;

/** Numbers with units, as people read them. */
final class Units {
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

    /** {@code 12.5 %}. */
    static String percent(double share) {
        return String.format(Locale.ROOT, "%.1f %%", 100 * share);
    }

    private static String round(double value) {
        return String.format(Locale.ROOT, value < 100 ? "%.1f" : "%.0f", value);
    }
}
