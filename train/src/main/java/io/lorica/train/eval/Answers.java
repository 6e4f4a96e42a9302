package io.lorica.train.eval;

import java.math.BigDecimal;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** The final number of a worked solution. */
public final class Answers {
    private static final Pattern MARKED = Pattern.compile("####\\s*\\$?\\s*(-?\\$?[\\d,]*\\.?\\d+)");
    private static final Pattern NUMBER = Pattern.compile("-?\\$?\\d[\\d,]*(?:\\.\\d+)?|-?\\$?\\.\\d+");

    private Answers() {}

    /** The number after {@code ####} (GSM8K), else the last number; normalised. Empty when there is none. */
    public static Optional<String> number(String text) {
        Matcher marked = MARKED.matcher(text);
        if (marked.find()) {
            return Optional.of(normalise(marked.group(1)));
        }
        Optional<String> last = Optional.empty();
        Matcher matcher = NUMBER.matcher(text);
        while (matcher.find()) {
            last = Optional.of(normalise(matcher.group()));
        }
        return last;
    }

    /** Without thousands' commas, currency sign and trailing zeros: {@code $1,200.0} is {@code 1200}. */
    static String normalise(String number) {
        BigDecimal value = new BigDecimal(number.replaceAll("[$,]", ""));
        return value.signum() == 0 ? "0" : value.stripTrailingZeros().toPlainString();
    }
}
