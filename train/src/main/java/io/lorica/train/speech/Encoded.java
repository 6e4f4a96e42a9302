package io.lorica.train.speech;

import io.lorica.model.Batch;
import io.lorica.model.Pass;
import io.lorica.model.Rates;
import io.lorica.model.Speech;
import io.lorica.model.SpeechModel;
import io.lorica.tensor.Scope;
import io.lorica.tensor.Tensors;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorVector;
import org.bytedeco.pytorch.global.torch;

/**
 * Clips as the encoders see them.
 *
 * @param audio {@code [clips, states, width]}
 * @param video {@code [clips, pictures, width]}
 */
record Encoded(Tensor audio, Tensor video, List<int[]> digits) {

    /** Owned by the caller's innermost scope. */
    static Encoded of(SpeechModel model, List<DigitClip> clips, Pass pass) {
        int frames = DigitClip.DIGITS * DigitClip.FRAMES;
        int pictures = DigitClip.DIGITS * DigitClip.PICTURES;
        int bins = model.ears().orElseThrow().melBins();
        try (Scope scope = Scope.open()) {
            Tensor features =
                    Tensors.of(joined(clips.stream().map(DigitClip::features).toList()), clips.size(), bins, frames);
            Tensor films = Tensors.of(
                    joined(clips.stream().map(clip -> clip.film().pixels()).toList()),
                    clips.size(),
                    pictures,
                    DigitClip.SIDE,
                    DigitClip.SIDE);
            return new Encoded(
                    scope.keep(model.ears().orElseThrow().states(features, pass)),
                    scope.keep(model.eyes().orElseThrow().states(films, pass)),
                    clips.stream().map(DigitClip::digits).toList());
        }
    }

    private static float[] joined(List<float[]> parts) {
        float[] all = new float[parts.size() * parts.getFirst().length];
        for (int i = 0; i < parts.size(); i++) {
            System.arraycopy(parts.get(i), 0, all, i * parts.getFirst().length, parts.getFirst().length);
        }
        return all;
    }

    /** All of them, one part after another; in the caller's innermost scope. */
    static Encoded all(List<Encoded> parts) {
        return new Encoded(
                torch.cat(new TensorVector(parts.stream().map(Encoded::audio).toArray(Tensor[]::new)), 0),
                torch.cat(new TensorVector(parts.stream().map(Encoded::video).toArray(Tensor[]::new)), 0),
                parts.stream().flatMap(part -> part.digits().stream()).toList());
    }

    /** Some of the clips; owned by the caller's innermost scope. */
    Encoded of(int... chosen) {
        Tensor rows = Tensors.of(Arrays.stream(chosen).asLongStream().toArray());
        return new Encoded(
                audio.index_select(0, rows),
                video.index_select(0, rows),
                Arrays.stream(chosen).mapToObj(digits::get).toList());
    }

    int size() {
        return digits.size();
    }

    Speech speech(Rates rates) {
        return new Speech(rows(audio), rows(video), rates);
    }

    private List<Tensor> rows(Tensor states) {
        return IntStream.range(0, size()).mapToObj(i -> states.select(0, i)).toList();
    }

    /** What stands before the digits, the same for every clip. */
    long[] prompt(SpeechModel model, Rates rates) {
        return model.prompt(new long[] {SpeechSizes.START}, (int) audio.size(1), (int) video.size(1), rates);
    }

    /** Mean cross-entropy of the digits and the end, a scalar that gradients flow into; in the caller's innermost scope. */
    Tensor loss(SpeechModel model, Rates rates, Pass pass) {
        long[] prompt = prompt(model, rates);
        List<long[]> sequences = new ArrayList<>();
        long[] rows = new long[size() * (DigitClip.DIGITS + 1)];
        long[] targets = new long[rows.length];
        int length = prompt.length + DigitClip.DIGITS;
        for (int i = 0; i < size(); i++) {
            long[] sequence = Arrays.copyOf(prompt, length);
            for (int k = 0; k <= DigitClip.DIGITS; k++) {
                boolean last = k == DigitClip.DIGITS;
                int at = i * (DigitClip.DIGITS + 1) + k;
                rows[at] = (long) i * length + prompt.length - 1 + k;
                targets[at] = last ? SpeechSizes.END : SpeechSizes.ZERO + digits.get(i)[k];
                if (!last) {
                    sequence[prompt.length + k] = targets[at];
                }
            }
            sequences.add(sequence);
        }
        try (Scope scope = Scope.open()) {
            Batch batch = Batch.of(sequences).withSpeech(speech(rates));
            Tensor hidden = model.hidden(batch, pass).index_select(0, Tensors.of(rows));
            return scope.keep(torch.cross_entropy_loss(model.head().forward(hidden, pass), Tensors.of(targets)));
        }
    }
}
