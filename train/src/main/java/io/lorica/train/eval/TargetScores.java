package io.lorica.train.eval;

import io.lorica.model.Batch;
import io.lorica.model.CausalModel;
import io.lorica.model.KvCache;
import io.lorica.model.Pass;
import io.lorica.tensor.DType;
import io.lorica.tensor.Grad;
import io.lorica.tensor.Scope;
import io.lorica.tensor.Tensors;
import io.lorica.train.data.Example;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.IntConsumer;
import java.util.stream.IntStream;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;

/**
 * Log-probabilities of targets: {@code log p(token i | tokens before i)} in nats, softmax in float32. Sequences are
 * packed up to a number of tokens, and logits are made for targets only, in chunks.
 */
final class TargetScores {
    private static final int BATCH_TOKENS = 2048;
    private static final int LOGIT_ROWS = 256;

    private TargetScores() {}

    /**
     * @param done receives the number of sequences finished so far
     * @return per sequence, per target in order
     */
    static List<float[]> of(CausalModel model, List<Example> examples, IntConsumer done) {
        return ofGroups(model, examples.stream().map(List::of).toList(), done);
    }

    /**
     * The same for groups of sequences that begin alike, as the choices of a question do: what a group has in common goes
     * through the model once, and each sequence goes on from a copy of its keys and values.
     *
     * @param done receives the number of sequences finished so far
     * @return per sequence, group after group
     */
    static List<float[]> ofGroups(CausalModel model, List<List<Example>> groups, IntConsumer done) {
        List<float[]> all = new ArrayList<>();
        try (Grad _ = Grad.disabled()) {
            int start = 0;
            while (start < groups.size()) {
                int end = start;
                int tokens = 0;
                while (end < groups.size() && (end == start || tokens + tokens(groups.get(end)) <= BATCH_TOKENS)) {
                    tokens += tokens(groups.get(end++));
                }
                List<List<Example>> batch = groups.subList(start, end);
                int[] shared = batch.stream().mapToInt(TargetScores::shared).toArray();
                all.addAll(
                        Arrays.stream(shared).allMatch(length -> length > 0)
                                ? continued(model, batch, shared)
                                : whole(
                                        model,
                                        batch.stream().flatMap(List::stream).toList()));
                start = end;
                done.accept(all.size());
            }
        }
        return all;
    }

    private static int tokens(List<Example> group) {
        return group.stream().mapToInt(Example::length).sum();
    }

    /** Tokens that all sequences of a group begin with, short of the one that predicts a target; 0 for one sequence. */
    private static int shared(List<Example> group) {
        if (group.size() == 1) {
            return 0;
        }
        long[] first = group.getFirst().tokens();
        int shared = first.length;
        for (Example example : group) {
            int same = Arrays.mismatch(first, 0, shared, example.tokens(), 0, example.length());
            int target = IntStream.range(0, example.length())
                    .filter(i -> example.supervised()[i])
                    .findFirst()
                    .orElse(example.length());
            shared = Math.min(same < 0 ? shared : same, target - 1);
        }
        return Math.max(0, shared);
    }

    private static List<float[]> whole(CausalModel model, List<Example> examples) {
        try (Scope _ = Scope.open()) {
            Tensor hidden = model.hidden(Example.batch(examples), Pass.inference());
            return scores(model, hidden, examples, new int[examples.size()]);
        }
    }

    private static List<float[]> continued(CausalModel model, List<List<Example>> groups, int[] shared) {
        List<Example> examples = groups.stream().flatMap(List::stream).toList();
        int[] group = IntStream.range(0, groups.size())
                .flatMap(g -> IntStream.generate(() -> g).limit(groups.get(g).size()))
                .toArray();
        int[] skipped = Arrays.stream(group).map(g -> shared[g]).toArray();
        try (Scope _ = Scope.open();
                KvCache beginnings = model.newCache(groups.size())) {
            List<long[]> prefixes = IntStream.range(0, groups.size())
                    .mapToObj(g -> Arrays.copyOf(groups.get(g).getFirst().tokens(), shared[g]))
                    .toList();
            Tensor _ = model.hidden(Batch.of(prefixes, beginnings), Pass.inference());
            try (KvCache cache = beginnings.copies(model.blocks().size(), group)) {
                List<long[]> rests = IntStream.range(0, examples.size())
                        .mapToObj(i -> Arrays.copyOfRange(
                                examples.get(i).tokens(),
                                skipped[i],
                                examples.get(i).length()))
                        .toList();
                return scores(model, model.hidden(Batch.of(rests, cache), Pass.inference()), examples, skipped);
            }
        }
    }

    /** @param skipped how many of each sequence's first tokens have no row in {@code hidden} */
    private static List<float[]> scores(CausalModel model, Tensor hidden, List<Example> examples, int[] skipped) {
        List<Long> rows = new ArrayList<>();
        List<Long> targets = new ArrayList<>();
        long offset = 0;
        for (int e = 0; e < skipped.length; e++) {
            Example example = examples.get(e);
            for (int i = 1; i < example.length(); i++) {
                if (example.supervised()[i]) {
                    rows.add(offset + i - 1 - skipped[e]);
                    targets.add(example.tokens()[i]);
                }
            }
            offset += example.length() - skipped[e];
        }
        float[] flat = new float[rows.size()];
        for (int from = 0; from < flat.length; from += LOGIT_ROWS) {
            int to = Math.min(flat.length, from + LOGIT_ROWS);
            float[] part = chunk(model, hidden, longs(rows.subList(from, to)), longs(targets.subList(from, to)));
            System.arraycopy(part, 0, flat, from, part.length);
        }
        return split(flat, examples);
    }

    private static float[] chunk(CausalModel model, Tensor hidden, long[] rows, long[] targets) {
        try (Scope _ = Scope.open()) {
            Tensor logits = model.head().forward(hidden.index_select(0, Tensors.of(rows)), Pass.inference());
            Tensor wide = Tensors.to(logits, DType.F32);
            Tensor chosen =
                    wide.gather(1, Tensors.of(targets, targets.length, 1)).squeeze(1);
            return Tensors.floats(chosen.sub(torch.logsumexp(wide, 1)));
        }
    }

    private static List<float[]> split(float[] flat, List<Example> examples) {
        List<float[]> parts = new ArrayList<>();
        int at = 0;
        for (Example example : examples) {
            int count = example.supervisedTokens();
            parts.add(Arrays.copyOfRange(flat, at, at + count));
            at += count;
        }
        return parts;
    }

    private static long[] longs(List<Long> values) {
        return values.stream().mapToLong(Long::longValue).toArray();
    }
}
