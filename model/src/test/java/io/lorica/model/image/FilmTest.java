package io.lorica.model.image;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.lorica.tensor.LoricaException;
import java.awt.image.BufferedImage;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Random;
import javax.imageio.ImageIO;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class FilmTest {
    @TempDir
    @SuppressWarnings("NullAway.Init")
    Path folder;

    /** Every grey of 8 bits; Java itself would brighten them. */
    @Test
    void read_whatWasWritten_isEqual() {
        float[] pixels = new float[3 * 16 * 16];
        Random random = new Random(1);
        for (int i = 0; i < pixels.length; i++) {
            pixels[i] = (i < 256 ? i : random.nextInt(256)) / 255f;
        }
        Path file = folder.resolve("film.tiff");
        new Film(pixels, 16).write(file);
        assertThat(Film.count(file)).isEqualTo(3);
        assertThat(Film.read(file, 16).pixels())
                .usingComparatorWithPrecision(1e-6f)
                .containsExactly(pixels);
    }

    @Test
    void read_folderOfPictures_takesThemByNameAndResizes() throws IOException {
        paint("b.png", 0xffffff);
        paint("a.png", 0x000000);
        Film film = Film.read(folder, 4);
        assertThat(film.pictures()).isEqualTo(2);
        assertThat(Arrays.copyOf(film.pixels(), 16)).containsOnly(0);
        assertThat(Arrays.copyOfRange(film.pixels(), 16, 32)).containsOnly(1);
    }

    private void paint(String name, int colour) throws IOException {
        BufferedImage image = new BufferedImage(8, 6, BufferedImage.TYPE_INT_RGB);
        for (int i = 0; i < 48; i++) {
            image.setRGB(i % 8, i / 8, colour);
        }
        ImageIO.write(image, "png", folder.resolve(name).toFile());
    }

    @ParameterizedTest
    @ValueSource(ints = {0, 7, 60})
    void read_fileCutShort_isRefusedByName(int length) throws IOException {
        Path file = folder.resolve("cut.tiff");
        new Film(new float[2 * 16 * 16], 16).write(file);
        Files.write(file, Arrays.copyOf(Files.readAllBytes(file), length));
        assertThatThrownBy(() -> Film.read(file, 16))
                .isInstanceOf(LoricaException.BadInput.class)
                .hasMessageContaining("cut.tiff");
    }

    @Test
    void read_nothing_isRefused() throws IOException {
        assertThatThrownBy(() -> Film.count(folder.resolve("none.tiff")))
                .isInstanceOf(LoricaException.NotFound.class)
                .hasMessageContaining("none.tiff");
        assertThatThrownBy(() -> Film.read(Files.createDirectory(folder.resolve("empty")), 4))
                .isInstanceOf(LoricaException.BadInput.class)
                .hasMessageContaining("holds no pictures");
    }
}
