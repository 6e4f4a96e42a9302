package io.lorica.cli;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

/** What a person sees who mistypes. */
class WrongUseTest {

    @Test
    void noCommand_helpOnStandardErrorAndExit2() {
        Cli run = Cli.run();
        assertThat(run.code()).isEqualTo(2);
        assertThat(run.out()).isEmpty();
        assertThat(run.err()).contains("Usage: lorica").contains("no command given");
    }

    @Test
    void misspeltOption_nearestIsNamed() {
        Cli run = Cli.run("--vebose");
        assertThat(run.code()).isEqualTo(2);
        assertThat(run.err()).contains("'--vebose'").contains("did you mean '--verbose'?");
    }

    @Test
    void version_isTheOnlyOutput() {
        Cli run = Cli.run("--version");
        assertThat(run.code()).isZero();
        assertThat(run.out()).startsWith("lorica ").hasLineCount(1);
        assertThat(run.err()).isEmpty();
    }
}
