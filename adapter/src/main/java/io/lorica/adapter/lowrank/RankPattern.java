package io.lorica.adapter.lowrank;

import io.lorica.tensor.LoricaException;
import java.util.Map;
import java.util.Optional;
import java.util.regex.Pattern;
import java.util.regex.PatternSyntaxException;

/** Keys of {@code rank_pattern} and {@code alpha_pattern}: the first that matches the end of a name, after a dot. */
final class RankPattern {
    private RankPattern() {}

    static <T> Optional<T> find(Map<String, T> patterns, String site) {
        return patterns.entrySet().stream()
                .filter(entry -> of(entry.getKey(), "rank_pattern", "adapter")
                        .matcher(site)
                        .matches())
                .map(Map.Entry::getValue)
                .findFirst();
    }

    static Pattern of(String key, String setting, String where) {
        try {
            return Pattern.compile("(.*\\.)?(" + key.replace("(?P<", "(?<") + ")");
        } catch (PatternSyntaxException e) {
            throw new LoricaException.BadInput(where + ": key '" + setting + "' holds '" + key
                    + "', which is neither the end of a name nor a regular expression: " + e.getDescription());
        }
    }
}
