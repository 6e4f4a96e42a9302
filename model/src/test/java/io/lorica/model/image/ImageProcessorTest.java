package io.lorica.model.image;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.lorica.model.Distances;
import io.lorica.model.Fixture;
import io.lorica.model.ModelConfig;
import io.lorica.tensor.LoricaException;
import io.lorica.tensor.SafetensorsFile;
import io.lorica.tensor.Scope;
import io.lorica.tensor.TensorSource;
import io.lorica.tensor.Tensors;
import java.awt.image.BufferedImage;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import javax.imageio.ImageIO;
import org.bytedeco.pytorch.Tensor;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class ImageProcessorTest {

    /** One step of a sample is 0.0078 or more after normalising, so nothing but rounding of the formula is left. */
    @ParameterizedTest
    @CsvSource({"clip, wide", "clip, tall", "clip-larger, wide", "clip-larger, tall", "vit, wide", "vit, tall"})
    void pixels_ofPicture_equalTransformers(String variant, String picture) {
        Fixture fixture = Fixture.named("images");
        ImageProcessor processor = ImageProcessor.from(fixture.config(variant + ".json"));
        try (TensorSource expected = SafetensorsFile.open(fixture.directory().resolve("expected.safetensors"));
                Scope _ = Scope.open()) {
            Tensor answer = expected.read(variant + "." + picture);
            Tensor pixels =
                    processor.pixels(List.of(Picture.read(fixture.directory().resolve(picture + ".png"))));
            assertThat(Tensors.shape(pixels.squeeze(0))).isEqualTo(Tensors.shape(answer));
            assertThat(Distances.largest(Tensors.floats(pixels), Tensors.floats(answer)))
                    .isLessThan(1e-5);
        }
    }

    @Test
    void from_loneNumbersOfOldFiles_meanShorterSideWithCropAndSquareWithout() throws JsonProcessingException {
        String normal = "\"image_mean\": [0.5, 0.5, 0.5], \"image_std\": [0.5, 0.5, 0.5]}";
        ImageProcessor clip = ImageProcessor.from(config("{\"size\": 24, \"crop_size\": 20, " + normal));
        ImageProcessor vit = ImageProcessor.from(config("{\"size\": 24, \"resample\": 2, " + normal));
        assertThat(clip.resize()).isEqualTo(new ImageProcessor.Resize.ShorterSide(24));
        assertThat(clip.crop()).isEqualTo(new ImageProcessor.Size(20, 20));
        assertThat(vit.resize()).isEqualTo(new ImageProcessor.Resize.Exact(new ImageProcessor.Size(24, 24)));
        assertThat(vit.resampling()).isEqualTo(Resampling.BILINEAR);
    }

    /** As Pillow reads it; Java's own conversion would brighten it. */
    @Test
    void read_greyPicture_keepsItsSamples(@TempDir Path folder) throws IOException {
        BufferedImage image = new BufferedImage(16, 16, BufferedImage.TYPE_BYTE_GRAY);
        for (int i = 0; i < 256; i++) {
            image.getRaster().setSample(i % 16, i / 16, 0, i);
        }
        Path file = folder.resolve("grey.png");
        ImageIO.write(image, "png", file.toFile());
        byte[] samples = Picture.read(file).samples();
        for (int i = 0; i < 256; i++) {
            assertThat(samples[3 * i] & 0xff).isEqualTo(i);
            assertThat(samples[3 * i + 2] & 0xff).isEqualTo(i);
        }
    }

    @Test
    void from_unknownResampling_isRefused() {
        assertThatThrownBy(() -> ImageProcessor.from(config(
                        "{\"size\": 24, \"resample\": 1," + " \"image_mean\": [0, 0, 0], \"image_std\": [1, 1, 1]}")))
                .isInstanceOf(LoricaException.Unsupported.class)
                .hasMessageContaining("resample 1");
    }

    @Test
    void crop_beyondTheEdges_isBlackThere() {
        Picture picture = new Picture(new byte[] {1, 2, 3, 4}, 2, 2, 1);
        assertThat(picture.crop(-1, 1, 4, 2).samples()).containsExactly(0, 3, 4, 0, 0, 0, 0, 0);
    }

    @Test
    void flipped_colours_keepTheirOrderInAPixel() {
        Picture picture = new Picture(new byte[] {1, 2, 3, 4, 5, 6}, 2, 1, 3);
        assertThat(picture.flipped().samples()).containsExactly(4, 5, 6, 1, 2, 3);
    }

    @Test
    void read_noImage_saysWhichFormatsThereAre(@TempDir Path directory) throws java.io.IOException {
        Path file = Files.writeString(directory.resolve("words.png"), "not an image");
        assertThatThrownBy(() -> Picture.read(file))
                .isInstanceOf(LoricaException.BadInput.class)
                .hasMessageContaining("words.png is no image")
                .hasMessageContaining("PNG, JPEG");
    }

    private static ModelConfig config(String json) throws JsonProcessingException {
        return new ModelConfig(new ObjectMapper().readTree(json), "preprocessor_config.json");
    }
}
