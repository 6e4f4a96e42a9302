package io.lorica.model;

import com.fasterxml.jackson.databind.node.ObjectNode;
import io.lorica.tensor.LoricaException;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;

/** What turns a SentencePiece BPE vocabulary with scores into the parts of a {@code tokenizer.json}. */
final class SentencePieceMerges {
    private static final String SPACE = "\u2581";

    private SentencePieceMerges() {}

    private record Merge(String left, String right, int leftId, int rightId, double score) {}

    /**
     * SentencePiece joins the neighbours whose joined piece has the best score. As a list of merges: every way to cut a
     * piece into two known ones, best scores first.
     */
    static List<String> of(Map<String, Integer> vocabulary, List<Double> scores, String where) {
        if (scores.size() != vocabulary.size()) {
            throw new LoricaException.BadInput(where + ": tokenizer.ggml.scores has " + scores.size() + " entries for "
                    + vocabulary.size() + " tokens; the file is damaged");
        }
        List<Merge> merges = new ArrayList<>();
        vocabulary.forEach((piece, id) -> {
            for (int cut = 1; cut < piece.length(); cut++) {
                String left = piece.substring(0, cut);
                String right = piece.substring(cut);
                Integer leftId = vocabulary.get(left);
                Integer rightId = vocabulary.get(right);
                if (leftId != null && rightId != null) {
                    merges.add(new Merge(left, right, leftId, rightId, scores.get(id)));
                }
            }
        });
        merges.sort(Comparator.comparingDouble(Merge::score)
                .reversed()
                .thenComparingInt(Merge::leftId)
                .thenComparingInt(Merge::rightId));
        return merges.stream().map(merge -> merge.left() + " " + merge.right()).toList();
    }

    static ObjectNode normalizer(boolean prefix) {
        ObjectNode replace = replace(" ", SPACE);
        ObjectNode sequence = TokenizerJson.typed("Sequence");
        sequence.set(
                "normalizers",
                TokenizerJson.list(
                        prefix
                                ? List.of(TokenizerJson.typed("Prepend").put("prepend", SPACE), replace)
                                : List.of(replace)));
        return sequence;
    }

    static ObjectNode decoder(boolean prefix) {
        List<ObjectNode> parts = new ArrayList<>(
                List.of(replace(SPACE, " "), TokenizerJson.typed("ByteFallback"), TokenizerJson.typed("Fuse")));
        if (prefix) {
            parts.add(TokenizerJson.typed("Strip")
                    .put("content", " ")
                    .put("start", 1)
                    .put("stop", 0));
        }
        ObjectNode sequence = TokenizerJson.typed("Sequence");
        sequence.set("decoders", TokenizerJson.list(parts));
        return sequence;
    }

    private static ObjectNode replace(String pattern, String content) {
        ObjectNode node = TokenizerJson.typed("Replace");
        node.putObject("pattern").put("String", pattern);
        return node.put("content", content);
    }
}
