package io.lorica.tensor;

import java.util.Collection;
import java.util.Comparator;
import java.util.Optional;

/** Suggests the known name a person most likely meant. */
public final class Names {
    private Names() {}

    /**
     * The nearest of {@code known} to {@code name} by edit distance, when near enough to be a misspelling; of several
     * equally near the one that begins alike, since people seldom mistype a beginning.
     */
    public static Optional<String> nearest(String name, Collection<String> known) {
        int limit = Math.max(2, name.length() / 3);
        return known.stream()
                .filter(candidate -> distance(name, candidate) <= limit)
                .min(Comparator.<String>comparingInt(candidate -> distance(name, candidate))
                        .thenComparingInt(candidate -> -commonStart(name, candidate)));
    }

    /** {@code "; did you mean 'rank'?"}, or an empty string when nothing is near. */
    public static String didYouMean(String name, Collection<String> known) {
        return nearest(name, known)
                .map(near -> "; did you mean '" + near + "'?")
                .orElse("");
    }

    private static int distance(String left, String right) {
        int[] previous = new int[right.length() + 1];
        int[] current = new int[right.length() + 1];
        for (int j = 0; j <= right.length(); j++) {
            previous[j] = j;
        }
        for (int i = 1; i <= left.length(); i++) {
            current[0] = i;
            for (int j = 1; j <= right.length(); j++) {
                int substitution = previous[j - 1] + (same(left.charAt(i - 1), right.charAt(j - 1)) ? 0 : 1);
                current[j] = Math.min(substitution, Math.min(previous[j], current[j - 1]) + 1);
            }
            int[] swap = previous;
            previous = current;
            current = swap;
        }
        return previous[right.length()];
    }

    private static int commonStart(String left, String right) {
        int i = 0;
        while (i < Math.min(left.length(), right.length()) && same(left.charAt(i), right.charAt(i))) {
            i++;
        }
        return i;
    }

    private static boolean same(char left, char right) {
        return Character.toLowerCase(left) == Character.toLowerCase(right);
    }
}
