package io.lorica.model;

import io.lorica.tensor.LoricaException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/**
 * Reads SentencePiece's {@code .vocab} file, a line {@code piece<TAB>score} for each id, as a BPE or character tokenizer
 * of the Llama kind: {@code <unk>}, {@code <s>} and {@code </s>} first, texts begin with {@code <s>} and a blank.
 */
public final class SentencePieceVocab {
    private static final List<String> SPECIAL = List.of("<unk>", "<s>", "</s>");

    private SentencePieceVocab() {}

    public static TokenizerDefinition read(Path file) {
        List<String> pieces = new ArrayList<>();
        List<Double> scores = new ArrayList<>();
        List<Long> types = new ArrayList<>();
        for (String line : lines(file)) {
            int tab = line.lastIndexOf('\t');
            int number = pieces.size() + 1;
            if (tab < 0) {
                throw new LoricaException.BadInput(file + ", line " + number
                        + ": no tab between piece and score; is this SentencePiece's .vocab?");
            }
            pieces.add(line.substring(0, tab));
            scores.add(score(line.substring(tab + 1), file, number));
            types.add(number == 1 ? 2L : number <= SPECIAL.size() ? 3L : 1L);
        }
        if (pieces.size() <= SPECIAL.size()
                || !pieces.subList(0, SPECIAL.size()).equals(SPECIAL)) {
            throw new LoricaException.Unsupported(file
                    + ": the first pieces must be <unk>, <s> and </s> with others after them; take a tokenizer.json");
        }
        return GgufTokenizer.convert(
                Map.of(
                        "tokenizer.ggml.model",
                        "llama",
                        "tokenizer.ggml.tokens",
                        pieces,
                        "tokenizer.ggml.scores",
                        scores,
                        "tokenizer.ggml.token_type",
                        types,
                        "tokenizer.ggml.unknown_token_id",
                        0L,
                        "tokenizer.ggml.bos_token_id",
                        1L,
                        "tokenizer.ggml.eos_token_id",
                        2L),
                file.toString());
    }

    private static double score(String text, Path file, int line) {
        try {
            return Double.parseDouble(text);
        } catch (NumberFormatException e) {
            throw new LoricaException.BadInput(file + ", line " + line + ": score '" + text + "' is no number", e);
        }
    }

    private static List<String> lines(Path file) {
        try {
            return Files.readAllLines(file);
        } catch (IOException e) {
            throw new LoricaException.BadInput(file + " cannot be read as UTF-8 text: " + e.getMessage(), e);
        }
    }
}
