package io.lorica.train.speech;

import io.lorica.model.audio.LogMel;
import io.lorica.model.audio.Sound;
import io.lorica.model.image.Film;
import io.lorica.model.image.Picture;
import io.lorica.tensor.LoricaException;
import io.lorica.tensor.Scope;
import io.lorica.tensor.Seed;
import io.lorica.tensor.Tensors;
import io.lorica.train.fewshot.ImageSet;
import io.lorica.train.fewshot.ImageSets;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.stream.IntStream;
import java.util.zip.ZipEntry;
import java.util.zip.ZipFile;

/**
 * Draws clips from recordings of spoken digits and pictures of written ones. White noise lies over the sound, and some digits
 * are not to be seen, so that neither stream alone tells everything.
 *
 * @param sounds by digit, at 16 kHz
 * @param pictures by digit
 */
record DigitClips(List<List<float[]>> sounds, List<List<float[]>> pictures, Settings settings) {

    /**
     * @param bins of the features
     * @param decibels of the sound above its noise
     * @param hidden share of digits that no picture shows
     */
    record Settings(int bins, double decibels, double hidden) {}

    /**
     * @param zip of {@code split/digit_speaker_index.wav}
     * @param images a folder of IDX files
     * @param split {@code train} or {@code test}
     */
    static DigitClips read(Path zip, Path images, String split, Settings settings) {
        ImageSet set = ImageSets.read(images);
        if (set.classes().size() != 10) {
            throw new LoricaException.BadInput(images + " has " + set.classes().size() + " classes of pictures, but"
                    + " digits are 10; name the folder of MNIST");
        }
        List<List<float[]>> pictures = lists();
        for (ImageSet.Labelled one : split.equals("train") ? set.train() : set.test()) {
            pictures.get(one.label()).add(grey(one.picture(), images));
        }
        return new DigitClips(sounds(zip, split), pictures, settings);
    }

    private static List<List<float[]>> lists() {
        return IntStream.range(0, 10)
                .<List<float[]>>mapToObj(_ -> new ArrayList<>())
                .toList();
    }

    private static float[] grey(Picture picture, Path where) {
        if (picture.width() != DigitClip.SIDE || picture.height() != DigitClip.SIDE) {
            throw new LoricaException.BadInput(
                    where + " has pictures of " + picture.width() + " x " + picture.height() + " pixels, but must have "
                            + DigitClip.SIDE + " x " + DigitClip.SIDE + "; name the folder of MNIST");
        }
        float[] pixels = new float[DigitClip.SIDE * DigitClip.SIDE];
        for (int i = 0; i < pixels.length; i++) {
            pixels[i] = (picture.samples()[i * picture.channels()] & 0xff) / 255f;
        }
        return pixels;
    }

    private static List<List<float[]>> sounds(Path zip, String split) {
        List<List<float[]>> sounds = lists();
        try (ZipFile file = new ZipFile(zip.toFile())) {
            for (ZipEntry entry : file.stream()
                    .sorted((a, b) -> a.getName().compareTo(b.getName()))
                    .toList()) {
                if (entry.getName().matches(".*\\b" + split + "/\\d_[^/]*\\.wav")) {
                    String name = entry.getName().substring(entry.getName().lastIndexOf('/') + 1);
                    try (InputStream in = file.getInputStream(entry)) {
                        sounds.get(name.charAt(0) - '0')
                                .add(Sound.read(in, zip + ": " + entry.getName())
                                        .at(LogMel.RATE)
                                        .samples());
                    }
                }
            }
        } catch (IOException e) {
            throw new LoricaException.BadInput("cannot read the sounds in " + zip + ": " + e + "; check the path", e);
        }
        if (sounds.stream().anyMatch(List::isEmpty)) {
            throw new LoricaException.BadInput(
                    zip + " must hold " + split + "/DIGIT_SPEAKER_NUMBER.wav for every digit from 0 to 9");
        }
        return sounds;
    }

    /** So many clips; an equal seed draws the same. */
    List<DigitClip> draw(int count, Seed seed) {
        Random random = new Random(seed.value());
        return IntStream.range(0, count).mapToObj(_ -> draw(random)).toList();
    }

    private DigitClip draw(Random random) {
        int slot = DigitClip.FRAMES * LogMel.HOP;
        int pixels = DigitClip.SIDE * DigitClip.SIDE;
        float[] samples = new float[DigitClip.DIGITS * slot];
        float[] film = new float[DigitClip.DIGITS * DigitClip.PICTURES * pixels];
        int[] digits = random.ints(DigitClip.DIGITS, 0, 10).toArray();
        for (int i = 0; i < digits.length; i++) {
            float[] said = any(sounds.get(digits[i]), random);
            System.arraycopy(said, 0, samples, i * slot, Math.min(said.length, slot));
            float[] shown = any(pictures.get(digits[i]), random);
            if (random.nextDouble() >= settings.hidden) {
                for (int p = 0; p < DigitClip.PICTURES; p++) {
                    System.arraycopy(shown, 0, film, (i * DigitClip.PICTURES + p) * pixels, pixels);
                }
            }
        }
        addNoise(samples, random);
        try (Scope _ = Scope.open()) {
            LogMel mel = new LogMel(settings.bins);
            Sound sound = new Sound(samples, LogMel.RATE).rounded();
            return new DigitClip(sound, Tensors.floats(mel.features(sound)), new Film(film, DigitClip.SIDE), digits);
        }
    }

    private static float[] any(List<float[]> all, Random random) {
        return all.get(random.nextInt(all.size()));
    }

    private void addNoise(float[] samples, Random random) {
        double power = IntStream.range(0, samples.length)
                        .mapToDouble(i -> samples[i] * samples[i])
                        .sum()
                / samples.length;
        double deviation = Math.sqrt(power * Math.pow(10, -settings.decibels / 10));
        for (int i = 0; i < samples.length; i++) {
            samples[i] += (float) (deviation * random.nextGaussian());
        }
    }
}
