package io.lorica.train.speech;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.lorica.model.Rates;
import io.lorica.tensor.LoricaException;
import io.lorica.tensor.Seed;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.zip.ZipEntry;
import java.util.zip.ZipOutputStream;
import javax.sound.sampled.AudioFileFormat;
import javax.sound.sampled.AudioFormat;
import javax.sound.sampled.AudioInputStream;
import javax.sound.sampled.AudioSystem;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** On tones for digits and on made-up pictures; real recordings are the experiment's. */
class SpeechExperimentTest {

    @TempDir
    @SuppressWarnings("NullAway.Init")
    static Path folder;

    @BeforeAll
    static void writeData() throws IOException {
        try (ZipOutputStream zip = new ZipOutputStream(Files.newOutputStream(folder.resolve("sounds.zip")))) {
            for (String split : List.of("train", "test")) {
                for (int digit = 0; digit < 10; digit++) {
                    zip.putNextEntry(new ZipEntry(split + "/" + digit + "_ann_0.wav"));
                    zip.write(tone(digit));
                }
            }
        }
        Path images = Files.createDirectory(folder.resolve("digits"));
        try (DataOutputStream pictures =
                        new DataOutputStream(Files.newOutputStream(images.resolve("images-idx3-ubyte")));
                DataOutputStream labels =
                        new DataOutputStream(Files.newOutputStream(images.resolve("labels-idx1-ubyte")))) {
            for (int number : new int[] {0x803, 20, 28, 28}) {
                pictures.writeInt(number);
            }
            labels.writeInt(0x801);
            labels.writeInt(20);
            for (int i = 0; i < 20; i++) {
                byte[] pixels = new byte[28 * 28];
                pixels[i % 10 * 28] = (byte) 255;
                pictures.write(pixels);
                labels.write(i % 10);
            }
        }
    }

    private static byte[] tone(int digit) throws IOException {
        byte[] samples = new byte[4000];
        for (int i = 0; i < samples.length / 2; i++) {
            int value = (int) (8000 * Math.sin(2 * Math.PI * (300 + 100 * digit) * i / 8000));
            samples[2 * i] = (byte) value;
            samples[2 * i + 1] = (byte) (value >> 8);
        }
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        AudioFormat format = new AudioFormat(8000, 16, 1, true, false);
        try (AudioInputStream stream =
                new AudioInputStream(new ByteArrayInputStream(samples), format, samples.length / 2)) {
            AudioSystem.write(stream, AudioFileFormat.Type.WAVE, out);
        }
        return out.toByteArray();
    }

    @Test
    void run_fewSteps_measuresEachStrategyAtEachScale() {
        Path out = folder.resolve("out");
        SpeechExperiment experiment = new SpeechExperiment(new SpeechExperiment.Settings(4, 3, 10, 0.3, 2, 1, 0, true));
        List<SpeechExperiment.Result> results =
                experiment.run(folder.resolve("sounds.zip"), folder.resolve("digits"), out, (_, _, _, _) -> {});
        assertThat(results)
                .extracting(result -> result.strategy() + " " + result.rates().key())
                .startsWith("base a8_v4", "ms a4_v2", "ms a16_v2", "ms a4_v5", "ms a16_v5", "ss a4_v2")
                .hasSize(13);
        assertThat(out.resolve("mss/adapter_model.safetensors")).exists();
        assertThat(out.resolve("train.jsonl")).content().hasLineCount(4).contains("\"audio\":\"train/0003.wav\"");
        assertThat(out.resolve("test/0002.tiff")).exists();
        assertThatThrownBy(() ->
                        experiment.run(folder.resolve("sounds.zip"), folder.resolve("digits"), out, (_, _, _, _) -> {}))
                .isInstanceOf(LoricaException.BadInput.class)
                .hasMessageContaining("holds a model already");
    }

    @Test
    void draw_allDigitsHidden_showsNothing() {
        DigitClips clips = DigitClips.read(
                folder.resolve("sounds.zip"), folder.resolve("digits"), "test", new DigitClips.Settings(8, 0, 1));
        DigitClip clip = clips.draw(1, new Seed(1)).getFirst();
        assertThat(clip.film().pixels()).containsOnly(0);
        assertThat(clip.features()).hasSize(8 * DigitClip.DIGITS * DigitClip.FRAMES);
    }

    @Test
    void settings_nothingToTrainOn_areRefused() {
        assertThatThrownBy(() -> new SpeechExperiment.Settings(0, 3, 10, 0.3, 2, 1, 0, true))
                .isInstanceOf(LoricaException.BadInput.class)
                .hasMessageContaining("clips 0");
    }

    @Test
    void result_json_namesTheRates() {
        SpeechExperiment.Result result = new SpeechExperiment.Result("ms", new Rates(16, 5), 25, 0.25, 0.5, 0.75);
        assertThat(result.json().toString())
                .isEqualTo("{\"strategy\":\"ms\",\"audio_rate\":16,\"video_rate\":5,\"prompt_tokens\":25,"
                        + "\"wer\":0.25,\"wer_wrong_audio\":0.5,\"wer_wrong_video\":0.75}");
    }
}
