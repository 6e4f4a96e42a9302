package io.lorica.model.audio;

import io.lorica.tensor.DType;
import io.lorica.tensor.Grad;
import io.lorica.tensor.LoricaException;
import io.lorica.tensor.Scope;
import io.lorica.tensor.Tensors;
import java.util.Arrays;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;

/**
 * Whisper's log-mel spectrogram (Radford et al. 2022), 100 frames a second of sound at 16 kHz:
 *
 * <pre>
 * P = |DFT(hann(400) * frame)|^2            frames of 400 samples, 160 apart, the sound mirrored at its ends
 * L = log10(max(F P, 1e-10))                F: triangles on Slaney's mel scale from 0 to 8000 Hz, each of area 1
 * features = (max(L, max(L) - 8) + 4) / 4   the largest over all of the features
 * </pre>
 *
 * <p>The last frame is dropped, as in the official code. Computed in float64.
 *
 * @param bins numbers of a frame: 80, and 128 for large-v3
 */
public record LogMel(int bins) {
    public static final int RATE = 16000;

    /** Samples from one frame to the next. */
    public static final int HOP = 160;

    private static final int WINDOW = 400;
    private static final int FREQUENCIES = WINDOW / 2 + 1;
    private static final double LINEAR_STEP = 200.0 / 3;
    private static final double LOG_START = 1000;
    private static final double LOG_STEP = Math.log(6.4) / 27;

    public LogMel {
        if (bins < 1) {
            throw new LoricaException.BadInput("log-mel features need at least 1 bin, not " + bins + "; use 80 or 128");
        }
    }

    /** How many frames {@link #features(Sound)} of a sound has; 0 where it is too short for any. */
    public static int frames(Sound sound) {
        long samples = (long) sound.samples().length * RATE / sound.rate();
        return samples <= WINDOW / 2 ? 0 : Math.toIntExact(samples / HOP);
    }

    /**
     * The features of the sound alone: {@code [bins, samples / 160]}, owned by the caller's innermost scope.
     *
     * @throws LoricaException.BadInput if the sound is too short to be mirrored by half a window
     */
    public Tensor features(Sound sound) {
        return features(sound.at(RATE).samples());
    }

    /**
     * The features of the sound, followed by silence or cut so that there are so many: Whisper's own are 3000, 30 seconds.
     *
     * @return {@code [bins, frames]}, owned by the caller's innermost scope
     */
    public Tensor features(Sound sound, int frames) {
        return features(Arrays.copyOf(sound.at(RATE).samples(), Math.multiplyExact(frames, HOP)));
    }

    private Tensor features(float[] samples) {
        if (samples.length <= WINDOW / 2) {
            throw new LoricaException.BadInput(
                    "the sound has " + samples.length + " samples at 16 kHz, and features need" + " more than "
                            + WINDOW / 2 + "; give a longer one, or pad it");
        }
        try (Scope scope = Scope.open();
                Grad _ = Grad.disabled()) {
            Tensor frames = Tensors.of(mirrored(samples), samples.length + WINDOW)
                    .unfold(0, WINDOW, HOP)
                    .narrow(0, 0, samples.length / HOP);
            Tensor real = frames.mm(wave(Math.PI / 2));
            Tensor imaginary = frames.mm(wave(0));
            Tensor power = real.square().add(imaginary.square());
            Tensor log = torch.clamp_min(
                            Tensors.of(filters(), bins, FREQUENCIES).mm(power.t()), new Scalar(1e-10))
                    .log10();
            Tensor floor = log.max().sub(new Scalar(8.0));
            Tensor scaled = torch.maximum(log, floor).add(new Scalar(4.0)).div(new Scalar(4.0));
            return scope.keep(Tensors.to(scaled, DType.F32).contiguous());
        }
    }

    /** Half a window more at both ends, mirrored at the first and the last sample. */
    private static double[] mirrored(float[] samples) {
        int half = WINDOW / 2;
        double[] all = new double[samples.length + WINDOW];
        for (int i = 0; i < all.length; i++) {
            int at = Math.abs(i - half);
            all[i] = samples[at < samples.length ? at : 2 * (samples.length - 1) - at];
        }
        return all;
    }

    /** {@code hann(t) sin(2 pi f t / 400 + phase)}, {@code [400, 201]}. */
    private static Tensor wave(double phase) {
        double[] values = new double[WINDOW * FREQUENCIES];
        for (int t = 0; t < WINDOW; t++) {
            double hann = (1 - Math.cos(2 * Math.PI * t / WINDOW)) / 2;
            for (int f = 0; f < FREQUENCIES; f++) {
                values[t * FREQUENCIES + f] = hann * Math.sin(2 * Math.PI * (f * t % WINDOW) / WINDOW + phase);
            }
        }
        return Tensors.of(values, WINDOW, FREQUENCIES);
    }

    /** F, {@code [bins, 201]}. */
    private double[] filters() {
        double[] corners = new double[bins + 2];
        double top = mel(RATE / 2.0);
        for (int i = 0; i < corners.length; i++) {
            corners[i] = hertz(top * i / (bins + 1));
        }
        double[] filters = new double[bins * FREQUENCIES];
        for (int b = 0; b < bins; b++) {
            for (int f = 0; f < FREQUENCIES; f++) {
                double frequency = (double) RATE / WINDOW * f;
                double rising = (frequency - corners[b]) / (corners[b + 1] - corners[b]);
                double falling = (corners[b + 2] - frequency) / (corners[b + 2] - corners[b + 1]);
                double area = 2 / (corners[b + 2] - corners[b]);
                filters[b * FREQUENCIES + f] = area * Math.max(0, Math.min(rising, falling));
            }
        }
        return filters;
    }

    /** Slaney's scale: linear to 1000 Hz, logarithmic above. */
    private static double mel(double hertz) {
        return hertz < LOG_START
                ? hertz / LINEAR_STEP
                : LOG_START / LINEAR_STEP + Math.log(hertz / LOG_START) / LOG_STEP;
    }

    private static double hertz(double mel) {
        double start = LOG_START / LINEAR_STEP;
        return mel < start ? mel * LINEAR_STEP : LOG_START * Math.exp(LOG_STEP * (mel - start));
    }
}
