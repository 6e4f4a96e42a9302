package io.lorica.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.lorica.tensor.LoricaException;
import io.lorica.train.JobGroup;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class JobsFileTest {

    @TempDir
    @SuppressWarnings("NullAway.Init")
    Path directory;

    private JobsFile read(String text) throws IOException {
        Path file = directory.resolve("jobs.yaml");
        Files.writeString(file, text);
        return JobsFile.read(file, false);
    }

    @Test
    void read_ownSettings_standBeforeTheDefaults() throws IOException {
        JobsFile file = read("""
                model: lorica-tiny
                pass_tokens: 300
                defaults: {learning_rate: 1e-3, max_steps: 7, r: 4}
                jobs:
                  - {name: one, data: a.jsonl, out: runs/one}
                  - {name: two, data: b.jsonl, out: runs/two, learning_rate: 2e-4, method: mola, start_after: 3}
                """);
        assertThat(file.sharing().passTokens()).isEqualTo(300);
        JobGroup.Job one = file.jobs().getFirst();
        JobGroup.Job two = file.jobs().getLast();
        assertThat(one.spec().training().learningRate()).isEqualTo(1e-3);
        assertThat(two.spec().training().learningRate()).isEqualTo(2e-4);
        assertThat(two.spec().training().maxSteps()).isEqualTo(7);
        assertThat(two.spec().method()).isEqualTo("mola");
        assertThat(two.startAfter()).isEqualTo(3);
        assertThat(two.spec().settings().path("r").asInt()).isEqualTo(4);
        assertThat(two.spec().model()).isEqualTo("lorica-tiny");
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '^',
            value = {
                "jobs: [{name: a, data: d, out: o}] | needs 'model'",
                "{model: m, jobs: []} | needs 'model'",
                "{model: m, job: []} | did you mean 'jobs'",
                "{model: m, jobs: [7]} | jobs[0] is 7",
                "{model: m, jobs: [{data: d, out: o}]} | 'name' is missing",
                "{model: m, jobs: [{name: a, out: o}]} | 'data' is missing",
                "{model: m, jobs: [{name: a, data: d}]} | 'out' is missing",
                "{model: m, jobs: [{name: a, data: d, out: o, model: n}]} | jobs share one base",
                "{model: m, jobs: [{name: a, data: d, out: o, max_step: 3}]} | did you mean 'max_steps'",
                "{model: m, defaults: 3, jobs: [{name: a, data: d, out: o}]} | 'defaults' is 3"
            })
    void read_malformed_saysWhatAndWhere(String text, String message) {
        assertThatThrownBy(() -> read(text))
                .isInstanceOf(LoricaException.BadInput.class)
                .hasMessageContaining(message);
    }
}
