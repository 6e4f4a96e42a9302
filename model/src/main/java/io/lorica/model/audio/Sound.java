package io.lorica.model.audio;

import io.lorica.tensor.AtomicFile;
import io.lorica.tensor.LoricaException;
import java.io.BufferedInputStream;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import javax.sound.sampled.AudioFileFormat;
import javax.sound.sampled.AudioFormat;
import javax.sound.sampled.AudioInputStream;
import javax.sound.sampled.AudioSystem;
import javax.sound.sampled.UnsupportedAudioFileException;

/**
 * Sound in memory, one channel.
 *
 * @param samples from -1 to 1
 * @param rate samples a second
 */
public record Sound(float[] samples, int rate) {

    /** One, in the steps of a 16-bit file. */
    private static final int FULL = 1 << 15;

    /** Zero crossings of the resampling filter on each side. */
    private static final int CROSSINGS = 24;

    /** A WAV, AIFF or AU file of integer samples; its channels are averaged. */
    public static Sound read(Path file) {
        try (InputStream in = Files.newInputStream(file)) {
            return read(in, file.toString());
        } catch (IOException e) {
            throw new LoricaException.BadInput("cannot read the sound " + file + ": " + e + "; check the path", e);
        }
    }

    /** @param where the sound's name, for messages */
    public static Sound read(InputStream in, String where) throws IOException {
        try (AudioInputStream stream = AudioSystem.getAudioInputStream(new BufferedInputStream(in))) {
            return decode(stream, where);
        } catch (UnsupportedAudioFileException e) {
            throw new LoricaException.BadInput(
                    where + " is no sound that can be read; convert it to WAV with 16-bit samples (FLAC, MP3 and Ogg"
                            + " are not read)",
                    e);
        }
    }

    private static Sound decode(AudioInputStream stream, String where) throws IOException {
        AudioFormat format = stream.getFormat();
        int bytes = format.getSampleSizeInBits() / 8;
        boolean signed = format.getEncoding().equals(AudioFormat.Encoding.PCM_SIGNED);
        boolean unsigned = format.getEncoding().equals(AudioFormat.Encoding.PCM_UNSIGNED);
        if (!(signed || unsigned) || bytes < 1 || bytes > 4 || format.getSampleSizeInBits() % 8 != 0) {
            throw new LoricaException.Unsupported(where + " holds samples as " + format
                    + ", which is not supported; convert it to WAV with 16-bit" + " samples");
        }
        byte[] data = stream.readAllBytes();
        int channels = format.getChannels();
        float[] samples = new float[data.length / (bytes * channels)];
        double scale = 1.0 / (1L << (8 * bytes - 1)) / channels;
        for (int i = 0; i < samples.length; i++) {
            double sum = 0;
            for (int c = 0; c < channels; c++) {
                sum += sample(data, (i * channels + c) * bytes, bytes, format.isBigEndian(), signed);
            }
            samples[i] = (float) (sum * scale);
        }
        return new Sound(samples, Math.round(format.getSampleRate()));
    }

    private static long sample(byte[] data, int at, int bytes, boolean bigEndian, boolean signed) {
        long value = 0;
        for (int i = 0; i < bytes; i++) {
            value = (value << 8) | (data[bigEndian ? at + i : at + bytes - 1 - i] & 0xff);
        }
        long half = 1L << (8 * bytes - 1);
        return signed ? (value ^ half) - half : value - half;
    }

    /**
     * The same sound at another rate: band-limited interpolation with a Hann-windowed sinc, cut off at half the lower of
     * the two rates. Silence is assumed around the sound.
     */
    public Sound at(int newRate) {
        if (newRate < 1) {
            throw new LoricaException.BadInput("a sampling rate of " + newRate + " is none; use 16000, for example");
        }
        if (newRate == rate) {
            return this;
        }
        float[] resampled = new float[Math.toIntExact((long) samples.length * newRate / rate)];
        double cutoff = Math.min(1, (double) newRate / rate);
        double reach = CROSSINGS / cutoff;
        for (int i = 0; i < resampled.length; i++) {
            double centre = (double) i * rate / newRate;
            int last = Math.min(samples.length - 1, (int) Math.floor(centre + reach));
            double sum = 0;
            for (int j = Math.max(0, (int) Math.ceil(centre - reach)); j <= last; j++) {
                sum += samples[j] * cutoff * filter((j - centre) * cutoff);
            }
            resampled[i] = (float) sum;
        }
        return new Sound(resampled, newRate);
    }

    /** {@code sinc(x) (1 + cos(pi x / n)) / 2} with n zero crossings. */
    private static double filter(double x) {
        if (Math.abs(x) < 1e-9) {
            return 1;
        }
        double angle = Math.PI * x;
        return Math.sin(angle) / angle * (1 + Math.cos(angle / CROSSINGS)) / 2;
    }

    /** As a file of 16-bit samples holds it: each rounded to a whole number of {@code 2^-15}, and what is louder cut off. */
    public Sound rounded() {
        float[] rounded = new float[samples.length];
        for (int i = 0; i < rounded.length; i++) {
            rounded[i] = Math.clamp(Math.round(samples[i] * FULL), -FULL, FULL - 1) / (float) FULL;
        }
        return new Sound(rounded, rate);
    }

    /** A WAV file of the {@link #rounded} samples. */
    public void write(Path file) {
        ByteBuffer data = ByteBuffer.allocate(2 * samples.length).order(ByteOrder.LITTLE_ENDIAN);
        for (float sample : rounded().samples) {
            data.putShort((short) (sample * FULL));
        }
        AudioFormat format = new AudioFormat(rate, 16, 1, true, false);
        ByteArrayOutputStream wav = new ByteArrayOutputStream();
        try (AudioInputStream in =
                new AudioInputStream(new ByteArrayInputStream(data.array()), format, samples.length)) {
            AudioSystem.write(in, AudioFileFormat.Type.WAVE, wav);
        } catch (IOException e) {
            throw new LoricaException.Internal("cannot make the sound " + file + ": " + e, e);
        }
        AtomicFile.write(file, channel -> channel.write(ByteBuffer.wrap(wav.toByteArray())));
    }

    public double seconds() {
        return (double) samples.length / rate;
    }
}
