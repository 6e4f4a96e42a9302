package io.lorica.train.fewshot;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.lorica.model.image.Picture;
import io.lorica.tensor.LoricaException;
import io.lorica.tensor.Seed;
import java.awt.image.BufferedImage;
import java.io.ByteArrayOutputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import java.util.stream.IntStream;
import java.util.zip.GZIPOutputStream;
import java.util.zip.ZipEntry;
import java.util.zip.ZipOutputStream;
import javax.imageio.ImageIO;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ImageSetsTest {

    @Test
    void read_folder_hasItsClassesInOrder(@TempDir Path folder) throws IOException {
        for (String name : List.of("train/red_fox/1.png", "train/cat/1.png", "test/cat/1.png", "test/red_fox/1.png")) {
            Path file = folder.resolve(name);
            Files.createDirectories(file.getParent());
            Files.write(file, png(0x123456));
        }
        ImageSet set = ImageSets.read(folder);
        assertThat(set.classes()).containsExactly("cat", "red fox");
        assertThat(set.train()).extracting(ImageSet.Labelled::label).containsExactly(0, 1);
        assertThat(set.test().getFirst().picture().samples()).startsWith(0x12, 0x34, 0x56);
    }

    @Test
    void read_zip_isTheSameAsTheFolder(@TempDir Path folder) throws IOException {
        Path zip = folder.resolve("pets.zip");
        try (ZipOutputStream out = new ZipOutputStream(Files.newOutputStream(zip))) {
            for (String name : List.of("x/train/cat/1.png", "x/test/cat/1.png", "x/readme.txt")) {
                out.putNextEntry(new ZipEntry(name));
                out.write(png(0x0000ff));
            }
        }
        ImageSet set = ImageSets.read(zip);
        assertThat(set.name()).isEqualTo("pets");
        assertThat(set.train()).hasSize(1);
        assertThat(set.test()).hasSize(1);
    }

    @Test
    void read_classOnlyInTraining_isRefused(@TempDir Path folder) throws IOException {
        Files.createDirectories(folder.resolve("train/cat"));
        Files.write(folder.resolve("train/cat/1.png"), png(0));
        assertThatThrownBy(() -> ImageSets.read(folder))
                .isInstanceOf(LoricaException.BadInput.class)
                .hasMessageContaining("train [cat] and test []");
    }

    @Test
    void read_idx_everySecondPictureOfAClassIsForTesting(@TempDir Path folder) throws IOException {
        writeIdx(folder, new byte[] {0, 1, 0, 0, 1}, 5);
        ImageSet set = ImageSets.read(folder);
        String name = folder.getFileName().toString();
        assertThat(set.classes()).containsExactly(name + " 0", name + " 1");
        assertThat(set.train())
                .extracting(one -> (int) one.picture().samples()[0])
                .containsExactly(0, 1, 3);
        assertThat(set.test())
                .extracting(one -> (int) one.picture().samples()[0])
                .containsExactly(2, 4);
    }

    @Test
    void read_idxWithFewerLabels_isRefused(@TempDir Path folder) throws IOException {
        writeIdx(folder, new byte[] {0, 1}, 3);
        assertThatThrownBy(() -> ImageSets.read(folder))
                .isInstanceOf(LoricaException.BadInput.class)
                .hasMessageContaining("3 pictures, but 2 labels");
    }

    @Test
    void only_parts_shareNoClass() {
        ImageSet set = numbered(5, 4);
        assertThat(set.only(ImageSet.Part.BASE).classes()).containsExactly("0", "1", "2");
        assertThat(set.only(ImageSet.Part.NEW).classes()).containsExactly("3", "4");
        assertThat(set.only(ImageSet.Part.NEW).train())
                .allSatisfy(
                        one -> assertThat(one.label()).isEqualTo(one.picture().samples()[0] - 3));
    }

    @Test
    void shots_fewer_areAmongMoreOfTheSameSeed() {
        ImageSet set = numbered(3, 20);
        List<ImageSet.Labelled> two = set.shots(2, new Seed(1));
        assertThat(two).hasSize(6);
        assertThat(set.shots(4, new Seed(1))).containsAll(two);
        assertThat(set.shots(2, new Seed(2))).isNotEqualTo(two);
    }

    @Test
    void shots_moreThanThereAre_isRefused() {
        assertThatThrownBy(() -> numbered(3, 4).shots(5, new Seed(0)))
                .isInstanceOf(LoricaException.BadInput.class)
                .hasMessageContaining("fewer than 5");
    }

    @Test
    void augmentation_ofAnyPicture_hasTheSizeAskedFor() {
        SplittableRandom random = new SplittableRandom(0);
        Augmentation augmentation = new Augmentation(12, 0.08, 0.5);
        Picture thin = new Picture(new byte[3 * 40 * 2], 40, 2, 3);
        for (int i = 0; i < 50; i++) {
            Picture made = augmentation.apply(thin, random);
            assertThat(made.width()).isEqualTo(12);
            assertThat(made.height()).isEqualTo(12);
        }
    }

    /** The first sample of a picture is its class. */
    private static ImageSet numbered(int classes, int perClass) {
        List<ImageSet.Labelled> pictures = new ArrayList<>();
        for (int i = 0; i < classes * perClass; i++) {
            int label = i % classes;
            pictures.add(new ImageSet.Labelled(new Picture(new byte[] {(byte) label, (byte) i}, 2, 1, 1), label));
        }
        List<String> names =
                IntStream.range(0, classes).mapToObj(Integer::toString).toList();
        return new ImageSet("numbers", names, pictures, pictures);
    }

    private static byte[] png(int colour) throws IOException {
        BufferedImage image = new BufferedImage(3, 2, BufferedImage.TYPE_INT_RGB);
        image.setRGB(0, 0, colour);
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        ImageIO.write(image, "png", out);
        return out.toByteArray();
    }

    /** Pictures of one pixel, whose value is their number. */
    private static void writeIdx(Path folder, byte[] labels, int pictures) throws IOException {
        try (DataOutputStream out = gzip(folder.resolve("some-images-idx3-ubyte.gz"))) {
            out.writeInt(0x803);
            out.writeInt(pictures);
            out.writeInt(1);
            out.writeInt(1);
            for (int i = 0; i < pictures; i++) {
                out.write(i);
            }
        }
        try (DataOutputStream out = gzip(folder.resolve("some-labels-idx1-ubyte.gz"))) {
            out.writeInt(0x801);
            out.writeInt(labels.length);
            out.write(labels);
        }
    }

    private static DataOutputStream gzip(Path file) throws IOException {
        OutputStream out = Files.newOutputStream(file);
        return new DataOutputStream(new GZIPOutputStream(out));
    }
}
