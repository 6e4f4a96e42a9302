package io.lorica.train.data;

import io.lorica.model.AudioEncoder;
import io.lorica.model.Pass;
import io.lorica.model.SpeechModel;
import io.lorica.model.VideoEncoder;
import io.lorica.model.audio.LogMel;
import io.lorica.model.audio.Sound;
import io.lorica.model.image.Film;
import io.lorica.tensor.DType;
import io.lorica.tensor.Grad;
import io.lorica.tensor.LoricaException;
import io.lorica.tensor.Scope;
import io.lorica.tensor.Tensors;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.function.IntSupplier;
import java.util.function.Supplier;
import org.bytedeco.pytorch.Tensor;

/**
 * The states of recordings by a model's encoders. These are frozen, so what was computed once is kept, as far as it takes no
 * more than 256 MiB; then the recording that was not asked for longest leaves.
 */
final class EncodedRecordings {
    private static final long MOST_FLOATS = (256L << 20) / Float.BYTES;

    private final SpeechModel model;
    private final Map<Path, float[]> known = new LinkedHashMap<>(16, 0.75f, true);
    private long floats;

    EncodedRecordings(SpeechModel model) {
        this.model = model;
    }

    private AudioEncoder ears() {
        return model.ears().orElseThrow();
    }

    private VideoEncoder eyes() {
        return model.eyes().orElseThrow();
    }

    /** How many states a sound has. */
    int audioStates(Attached attached, Path file) {
        return counted(attached, file, ears().maxStates(), () -> (LogMel.frames(Sound.read(file)) + 1) / 2);
    }

    /** How many states a film has. */
    int videoStates(Attached attached, Path file) {
        return counted(attached, file, eyes().maxStates(), () -> Film.count(file));
    }

    private static int counted(Attached attached, Path file, int most, IntSupplier count) {
        int states;
        try {
            states = count.getAsInt();
        } catch (LoricaException e) {
            throw attached.bad(String.valueOf(e.getMessage()));
        }
        if (states < 1 || states > most) {
            throw attached.bad("the recording " + file + " has " + states + " states, but the model takes from 1 to "
                    + most + " (cut it, or give a longer one)");
        }
        return states;
    }

    /** {@code [states, width]}, owned by the caller's innermost scope. */
    Tensor audio(Path file) {
        return tensor(
                states(file, () -> {
                    Tensor features = new LogMel(ears().melBins()).features(Sound.read(file));
                    return ears().states(features.unsqueeze(0), Pass.inference());
                }),
                ears().width());
    }

    /** {@code [pictures, width]}, owned by the caller's innermost scope. */
    Tensor video(Path file) {
        return tensor(
                states(file, () -> {
                    Film film = Film.read(file, eyes().imageSize());
                    Tensor pictures = Tensors.of(film.pixels(), 1, film.pictures(), film.side(), film.side());
                    return eyes().states(pictures, Pass.inference());
                }),
                eyes().width());
    }

    private static Tensor tensor(float[] states, int width) {
        return Tensors.of(states, states.length / width, width);
    }

    private synchronized float[] states(Path file, Supplier<Tensor> compute) {
        float[] states = known.get(file);
        if (states == null) {
            try (Scope _ = Scope.open();
                    Grad _ = Grad.disabled()) {
                states = Tensors.floats(Tensors.to(compute.get(), DType.F32));
            }
            known.put(file, states);
            floats += states.length;
            var eldest = known.entrySet().iterator();
            while (floats > MOST_FLOATS && known.size() > 1) {
                floats -= eldest.next().getValue().length;
                eldest.remove();
            }
        }
        return states;
    }
}
