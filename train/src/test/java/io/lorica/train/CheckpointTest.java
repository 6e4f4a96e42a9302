package io.lorica.train;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class CheckpointTest {
    @TempDir
    Path directory;

    private Path write() {
        TrainConfig config = TinyRun.config("{}");
        try (TinyRun tiny = TinyRun.open();
                AdamW optimizer = Trainer.optimizer(tiny.trainee(), config)) {
            return Checkpoint.start(Double.NaN).write(directory, tiny.trainee(), optimizer, Map.of(), 1);
        }
    }

    @Test
    void write_sameStepAgain_replacesIt() {
        write();
        assertThat(write()).exists();
        assertThat(directory).isDirectoryNotContaining("glob:**.old").isDirectoryNotContaining("glob:**.tmp");
    }

    @Test
    void newest_killedBetweenTheTwoMoves_isTheOneMovedAside() throws IOException {
        Path step = write();
        Files.move(step, directory.resolve(".step-0.old"));
        assertThat(Checkpoint.newest(directory)).contains(step);
        assertThat(step.resolve("state.json")).exists();
    }

    @Test
    void newest_killedAfterTheMoves_forgetsTheOldOne() throws IOException {
        Path step = write();
        Files.createDirectory(directory.resolve(".step-0.old"));
        assertThat(Checkpoint.newest(directory)).contains(step);
        assertThat(directory.resolve(".step-0.old")).doesNotExist();
    }
}
