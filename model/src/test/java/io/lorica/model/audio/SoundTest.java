package io.lorica.model.audio;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import io.lorica.tensor.LoricaException;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import javax.sound.sampled.AudioFileFormat;
import javax.sound.sampled.AudioFormat;
import javax.sound.sampled.AudioInputStream;
import javax.sound.sampled.AudioSystem;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class SoundTest {

    @TempDir
    @SuppressWarnings("NullAway.Init")
    Path folder;

    @Test
    void read_wavOfTwoChannels_isTheirMean() throws IOException {
        Path file = wav(new short[] {16384, -16384, 8192, 16384, -32768, -32768}, 2);
        assertThat(Sound.read(file).samples()).containsExactly(0, 0.375f, -1);
    }

    @Test
    void write_thenRead_isTheRoundedSound() {
        Sound sound = new Sound(new float[] {0, 0.25f, -0.9f, 1 / 3f, 1.5f, -1.5f}, 16000);
        Path file = folder.resolve("written.wav");
        sound.write(file);
        assertThat(Sound.read(file).rate()).isEqualTo(16000);
        assertThat(Sound.read(file).samples()).containsExactly(sound.rounded().samples());
        assertThat(sound.rounded().samples())
                .usingComparatorWithPrecision(1e-4f)
                .containsExactly(0, 0.25f, -0.9f, 1 / 3f, 1, -1);
    }

    @Test
    void read_wav_keepsItsRate() throws IOException {
        assertThat(Sound.read(wav(new short[] {1, 2}, 1)).rate()).isEqualTo(8000);
    }

    @Test
    void read_textFile_saysWhatToDo() throws IOException {
        Path file = Files.writeString(folder.resolve("song.mp3"), "no sound at all");
        assertThatThrownBy(() -> Sound.read(file))
                .isInstanceOf(LoricaException.BadInput.class)
                .hasMessageContaining("song.mp3 is no sound that can be read; convert it to WAV");
    }

    @Test
    void at_twiceTheRate_isTheSameTone() {
        float[] resampled = tone(8000, 4000).at(16000).samples();
        float[] expected = tone(16000, 8000).samples();
        for (int i = 200; i < expected.length - 200; i++) { // the sound begins and ends out of nothing
            assertThat(resampled[i]).isCloseTo(expected[i], within(2e-3f));
        }
    }

    @Test
    void at_lowerRate_isTheSameTone() {
        float[] resampled = tone(44100, 22050).at(16000).samples();
        float[] expected = tone(16000, 8000).samples();
        assertThat(resampled).hasSize(8000);
        for (int i = 200; i < expected.length - 200; i++) {
            assertThat(resampled[i]).isCloseTo(expected[i], within(2e-3f));
        }
    }

    @Test
    void at_lowerRate_losesWhatItCannotHold() {
        float[] samples = new float[22050];
        for (int i = 0; i < samples.length; i++) {
            samples[i] = (float) Math.sin(2 * Math.PI * 12000 * i / 44100);
        }
        float[] resampled = new Sound(samples, 44100).at(16000).samples();
        assertThat(resampled[4000]).isCloseTo(0, within(5e-3f));
    }

    private static Sound tone(int rate, int count) {
        float[] samples = new float[count];
        for (int i = 0; i < count; i++) {
            samples[i] = (float) Math.sin(2 * Math.PI * 440 * i / rate);
        }
        return new Sound(samples, rate);
    }

    private Path wav(short[] samples, int channels) throws IOException {
        ByteBuffer bytes = ByteBuffer.allocate(2 * samples.length).order(ByteOrder.LITTLE_ENDIAN);
        bytes.asShortBuffer().put(samples);
        AudioFormat format = new AudioFormat(8000, 16, channels, true, false);
        Path file = folder.resolve("sound.wav");
        try (AudioInputStream stream =
                new AudioInputStream(new ByteArrayInputStream(bytes.array()), format, samples.length / channels)) {
            AudioSystem.write(stream, AudioFileFormat.Type.WAVE, file.toFile());
        }
        return file;
    }
}
