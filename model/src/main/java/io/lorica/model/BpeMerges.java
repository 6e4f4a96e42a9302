package io.lorica.model;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.PriorityQueue;
import java.util.Set;

/**
 * The counts behind {@link BpeTrainer}: every pair knows how often it occurs and in which words, so that a merge touches
 * only those. A heap offers the most frequent pair; entries whose count has since fallen are put back when they surface.
 */
final class BpeMerges {
    private static final Comparator<Offer> BEST_FIRST =
            Comparator.comparingLong(Offer::count).reversed().thenComparingLong(Offer::pair);

    private final Map<String, Integer> vocabulary;
    private final List<String> tokens;
    private final List<int[]> words = new ArrayList<>();
    private final List<Integer> frequencies = new ArrayList<>();
    private final Map<Long, Pair> pairs = new HashMap<>();
    private final PriorityQueue<Offer> heap = new PriorityQueue<>(BEST_FIRST);

    /**
     * @param vocabulary grows by the learned tokens
     * @param counts how often each word occurs, spelled in single-character tokens of the vocabulary
     */
    BpeMerges(Map<String, Integer> vocabulary, Map<String, Integer> counts) {
        this.vocabulary = vocabulary;
        tokens = new ArrayList<>(vocabulary.keySet());
        counts.forEach((word, count) -> {
            words.add(
                    word.chars().map(c -> vocabulary.get(Character.toString(c))).toArray());
            frequencies.add(count);
        });
        for (int i = 0; i < words.size(); i++) {
            count(i, 1);
        }
        pairs.forEach((key, pair) -> heap.add(new Offer(key, pair.count)));
    }

    /** @return the merges as {@code "left right"}, best first */
    List<String> learn(int vocabularySize, int minFrequency) {
        List<String> merges = new ArrayList<>();
        while (tokens.size() < vocabularySize && !heap.isEmpty()) {
            Offer best = heap.poll();
            long count = pair(best.pair).count;
            if (count < Math.max(1, minFrequency)) {
                continue;
            }
            if (count != best.count) {
                heap.add(new Offer(best.pair, count));
                continue;
            }
            merges.add(tokens.get(left(best.pair)) + " " + tokens.get(right(best.pair)));
            merge(best.pair);
        }
        return merges;
    }

    private void merge(long key) {
        String joined = tokens.get(left(key)) + tokens.get(right(key));
        int id = vocabulary.computeIfAbsent(joined, token -> {
            tokens.add(token);
            return tokens.size() - 1;
        });
        Pair merged = pair(key);
        Set<Long> touched = new HashSet<>();
        for (int i = 0; i < merged.size; i++) {
            int word = merged.words[i];
            int[] replaced = replace(words.get(word), left(key), right(key), id);
            if (replaced.length < words.get(word).length) {
                count(word, -1);
                words.set(word, replaced);
                for (int j = 0; j + 1 < replaced.length; j++) {
                    touched.add(key(replaced[j], replaced[j + 1]));
                }
                count(word, 1);
            }
        }
        merged.words = new int[0];
        merged.size = 0;
        touched.forEach(pair -> heap.add(new Offer(pair, pair(pair).count)));
    }

    private static int[] replace(int[] word, int left, int right, int id) {
        int[] result = new int[word.length];
        int size = 0;
        for (int i = 0; i < word.length; i++) {
            boolean match = i + 1 < word.length && word[i] == left && word[i + 1] == right;
            result[size++] = match ? id : word[i];
            i += match ? 1 : 0;
        }
        return Arrays.copyOf(result, size);
    }

    /** Adds or takes away a word's pairs. */
    private void count(int index, int sign) {
        int[] word = words.get(index);
        for (int j = 0; j + 1 < word.length; j++) {
            Pair pair = pair(key(word[j], word[j + 1]));
            pair.count += (long) sign * frequencies.get(index);
            if (sign > 0) {
                pair.foundIn(index);
            }
        }
    }

    private Pair pair(long key) {
        return pairs.computeIfAbsent(key, _ -> new Pair());
    }

    private static long key(int left, int right) {
        return ((long) left << 32) | right;
    }

    private static int left(long key) {
        return (int) (key >>> 32);
    }

    private static int right(long key) {
        return (int) key;
    }

    /** A pair's count when it was put on the heap. */
    private record Offer(long pair, long count) {}

    /** How often a pair occurs, and the words it was ever seen in. */
    private static final class Pair {
        private long count;
        private int[] words = new int[2];
        private int size;

        void foundIn(int word) {
            if (size > 0 && words[size - 1] == word) {
                return;
            }
            if (size == words.length) {
                words = Arrays.copyOf(words, 2 * size + 2);
            }
            words[size++] = word;
        }
    }
}
