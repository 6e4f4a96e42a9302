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
import io.lorica.train.eval.WordErrorRate;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.stream.IntStream;
import org.bytedeco.pytorch.Tensor;

/** Word error rates of clips whose states are known. */
final class WordErrors {
    private static final int TOGETHER = 25;

    private WordErrors() {}

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
                    errors += WordErrorRate.errors(words(part.digits().get(i)), words(heard.get(i)));
                    words += part.digits().get(i).length;
                }
            }
        }
        return (double) errors / words;
    }

    private static List<Integer> words(int[] digits) {
        return Arrays.stream(digits).boxed().toList();
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
