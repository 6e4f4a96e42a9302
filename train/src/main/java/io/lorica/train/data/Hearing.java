package io.lorica.train.data;

import io.lorica.adapter.Adapter;
import io.lorica.adapter.Trainable;
import io.lorica.model.Rates;
import io.lorica.model.SpeechModel;
import io.lorica.model.image.Film;
import io.lorica.tensor.LoricaException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * The recordings of rows, as a model of speech hears and sees them: {@code audio} (a WAV file) and {@code video} (see
 * {@link Film}), those that the model's rates have, as paths from the data file's folder. Their tokens come after the
 * text's first one. A row is read once for each of the scales: its length differs, its targets do not. A row without any is
 * text alone, at each scale.
 */
final class Hearing implements Senses {
    static final String[] COLUMNS = {"audio", "video"};

    /** How the names begin of what an adapter learns in an encoder. */
    private static final Pattern ENCODER = Pattern.compile("(base_model\\.model\\.)?(audio|video)_encoder\\.");

    /** States of an encoder a second. */
    private static final double AUDIO_STATES = 50;

    private static final double VIDEO_STATES = 25;

    private final SpeechModel model;
    private final List<Rates> scales;
    private final EncodedRecordings encoded;

    /** @param scales at least one; the one with the most tokens is an example's own, the others are its other readings */
    Hearing(SpeechModel model, List<Rates> scales) {
        this.model = model;
        this.scales = scales.stream()
                .sorted(Comparator.comparingDouble(Hearing::tokensPerSecond).reversed())
                .toList();
        encoded = new EncodedRecordings(model);
    }

    /** Encoders are frozen: their states are computed once and kept. */
    static void requireTrainable(Adapter adapter) {
        for (Trainable trainable : adapter.trainables()) {
            if (ENCODER.matcher(trainable.name()).lookingAt()) {
                throw new LoricaException.BadInput("the adapter would learn " + trainable.name()
                        + ", but the encoders of recordings stay frozen; choose target_modules within llm, such as"
                        + " llm\\..*\\.(q|v)_proj");
            }
        }
    }

    private static double tokensPerSecond(Rates rates) {
        return (rates.audio() == 0 ? 0 : AUDIO_STATES / rates.audio())
                + (rates.video() == 0 ? 0 : VIDEO_STATES / rates.video());
    }

    @Override
    public Example example(Attached attached, Encoded text) {
        if (text.tokens().length == 0) {
            throw attached.bad("its text has no tokens, and the recording comes after the first one (write a prompt)");
        }
        boolean silent = attached.files(COLUMNS).isEmpty();
        Path audio = silent ? null : file(attached, 0, scales.getFirst().audio() > 0);
        Path video = silent ? null : file(attached, 1, scales.getFirst().video() > 0);
        int audioFrames = audio == null ? 0 : encoded.audioStates(attached, audio);
        int videoFrames = video == null ? 0 : encoded.videoStates(attached, video);
        List<Example> readings = new ArrayList<>();
        for (Rates rates : scales) {
            long[] tokens = silent ? text.tokens() : model.prompt(text.tokens(), audioFrames, videoFrames, rates);
            boolean[] supervised = new boolean[tokens.length];
            int more = tokens.length - text.tokens().length;
            System.arraycopy(text.supervised(), 1, supervised, 1 + more, text.tokens().length - 1);
            readings.add(Example.ofTokens(tokens, supervised).with(new Recording(audio, video, rates, encoded)));
        }
        return readings.getFirst().with(readings.subList(1, readings.size()));
    }

    private static @Nullable Path file(Attached attached, int column, boolean needed) {
        List<Path> files = attached.files(COLUMNS[column]);
        if (needed && files.size() != 1) {
            throw attached.bad(
                    "it has " + files.size() + " files of " + COLUMNS[column] + ", but the model reads one (name one)");
        }
        return needed ? files.getFirst() : null;
    }

    @Override
    public boolean lost(Example whole, Example cut) {
        return Senses.fewer(model.placeholder(), whole, cut);
    }
}
