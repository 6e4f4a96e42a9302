package io.lorica.train.speech;

import io.lorica.model.Batch;
import io.lorica.model.KvCache;
import io.lorica.model.Pass;
import io.lorica.model.Rates;
import io.lorica.model.Speech;
import io.lorica.model.SpeechModel;
import io.lorica.tensor.Grad;
import io.lorica.tensor.Scope;
import io.lorica.tensor.Tensors;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.stream.IntStream;
import org.bytedeco.pytorch.Tensor;

/** Word error rate: the fewest words put in, left out or exchanged that turn what was heard into what was said, by word said. */
public final class WordErrors {
    private static final int TOGETHER = 25;

    private WordErrors() {}

    /** Levenshtein's distance of two lists of words. */
    public static int between(int[] said, int[] heard) {
        int[] row = IntStream.rangeClosed(0, heard.length).toArray();
        for (int i = 1; i <= said.length; i++) {
            int diagonal = row[0];
            row[0] = i;
            for (int j = 1; j <= heard.length; j++) {
                int exchanged = diagonal + (said[i - 1] == heard[j - 1] ? 0 : 1);
                diagonal = row[j];
                row[j] = Math.min(exchanged, 1 + Math.min(row[j], row[j - 1]));
            }
        }
        return row[heard.length];
    }

    /** The rate over all clips, each decoded greedily. */
    static double rate(SpeechModel model, Encoded clips, Rates rates) {
        int errors = 0;
        int words = 0;
        for (int first = 0; first < clips.size(); first += TOGETHER) {
            try (Scope _ = Scope.open();
                    Grad _ = Grad.disabled()) {
                int[] chosen = IntStream.range(first, Math.min(clips.size(), first + TOGETHER))
                        .toArray();
                Encoded part = clips.of(chosen);
                List<int[]> heard = transcribe(model, part, rates);
                for (int i = 0; i < chosen.length; i++) {
                    errors += between(part.digits().get(i), heard.get(i));
                    words += part.digits().get(i).length;
                }
            }
        }
        return (double) errors / words;
    }

    /** Up to the end or twice the words that a clip has. */
    private static List<int[]> transcribe(SpeechModel model, Encoded clips, Rates rates) {
        int limit = 2 * DigitClip.DIGITS;
        int[][] heard = new int[clips.size()][limit];
        try (KvCache cache = model.newCache(clips.size())) {
            List<long[]> input = Collections.nCopies(clips.size(), clips.prompt(model, rates));
            Speech speech = clips.speech(rates);
            for (int k = 0; k < limit; k++) {
                Tensor logits =
                        model.nextLogits(Batch.of(input, cache).withSpeech(k == 0 ? speech : null), Pass.inference());
                long[] best = Tensors.longs(logits.argmax(new org.bytedeco.pytorch.LongOptional(-1), false));
                input = new ArrayList<>();
                for (int i = 0; i < best.length; i++) {
                    heard[i][k] = (int) best[i];
                    input.add(new long[] {best[i]});
                }
            }
        }
        return Arrays.stream(heard)
                .map(ids -> Arrays.stream(ids)
                        .takeWhile(id -> id != SpeechSizes.END)
                        .map(id -> id - SpeechSizes.ZERO)
                        .toArray())
                .toList();
    }
}
