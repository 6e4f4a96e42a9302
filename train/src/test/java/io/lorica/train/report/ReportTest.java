package io.lorica.train.report;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.List;
import java.util.Map;
import javax.imageio.ImageIO;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ReportTest {
    @TempDir
    Path directory;

    @Test
    void text_numbersAndWords_areAligned() {
        Table table = new Table("name", "loss").row("lora", "1.25").row("a", "10.5");

        assertThat(table.text()).isEqualTo("name  loss\n----  ----\nlora  1.25\na     10.5");
    }

    @Test
    void resume_tornLineAndLaterSteps_areRemoved() throws IOException {
        Path file = directory.resolve("metrics.jsonl");
        try (MetricsLog log = MetricsLog.create(file)) {
            log.write(1, Map.of("train_loss", 2.5));
            log.write(2, Map.of("train_loss", Double.NaN));
            log.write(3, Map.of("train_loss", 1.5));
        }
        Files.writeString(file, "{\"step\":4,\"tr", StandardOpenOption.APPEND);

        try (MetricsLog log = MetricsLog.resume(file, 2)) {
            log.write(3, Map.of("train_loss", 1.0));
        }

        assertThat(Files.readString(file)).isEqualTo("""
                        {"step":1,"train_loss":2.5}
                        {"step":2,"train_loss":null}
                        {"step":3,"train_loss":1.0}
                        """);
    }

    @Test
    void read_brokenLineInTheMiddle_isNamed() throws IOException {
        Path file = Files.writeString(directory.resolve("metrics.jsonl"), "{\"step\":1}\n{\n{\"step\":2}\n");

        assertThatThrownBy(() -> MetricsLog.read(file)).hasMessageContaining("line 2");
    }

    @Test
    void write_lossPlot_isAPicture() throws IOException {
        Path file = directory.resolve("metrics.jsonl");
        try (MetricsLog log = MetricsLog.create(file)) {
            for (int step = 1; step <= 200; step++) {
                log.write(step, Map.of("train_loss", 1 + 2 / Math.sqrt(step) + 0.2 * Math.sin(step * 2.3)));
                if (step % 50 == 0) {
                    log.write(step, Map.of("eval_loss", 1.1 + 2 / Math.sqrt(step)));
                }
            }
        }
        List<ObjectNode> lines = MetricsLog.read(file);
        Path png = directory.resolve("loss.png");

        new LossPlot("lora, rank 16", false).write(png, lines);

        assertThat(ImageIO.read(png.toFile()).getWidth()).isEqualTo(960);
    }

    @Test
    void smoothed_window_isTheMeanOfTheLastPoints() {
        LossPlot.Curve curve = new LossPlot.Curve(List.of(1.0, 2.0, 3.0), List.of(4.0, 2.0, 6.0));

        assertThat(curve.smoothed(2).losses()).containsExactly(4.0, 3.0, 4.0);
    }
}
