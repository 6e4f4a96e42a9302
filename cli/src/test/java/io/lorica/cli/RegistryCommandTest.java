package io.lorica.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class RegistryCommandTest {
    private static final String PEFT =
            Path.of("..", "adapter", "src", "test", "resources", "peft").toString();

    @TempDir
    @SuppressWarnings("NullAway.Init")
    Path folder;

    private Cli registry(String verb, String... arguments) {
        List<String> all = new ArrayList<>(List.of("registry", verb, "--registry", "sqlite:" + folder.resolve("r.db")));
        Collections.addAll(all, arguments);
        return Cli.run(all.toArray(String[]::new));
    }

    @Test
    void list_addedFolders_namesThemWithRankAndPlace() {
        assertThat(registry("add", PEFT + "/plain", PEFT + "/vera").code()).isZero();
        Cli list = registry("list");
        assertThat(list.out().lines()).hasSize(2);
        assertThat(list.out().lines().findFirst().orElseThrow())
                .startsWith("plain")
                .endsWith("/adapter/src/test/resources/peft/plain");
    }

    @Test
    void add_takenName_isRefusedUnlessReplaced() {
        registry("add", PEFT + "/plain");
        Cli again = registry("add", "--name", "plain", PEFT + "/dora");
        assertThat(again.code()).isEqualTo(2);
        assertThat(again.err()).contains("--replace");
        assertThat(registry("add", "--replace", "--name", "plain", PEFT + "/dora")
                        .code())
                .isZero();
        assertThat(registry("list").out()).contains("peft/dora").doesNotContain("peft/plain");
    }

    @Test
    void add_noAdapterThere_isRefused() {
        assertThat(registry("add", folder.toString()).code()).isEqualTo(2);
        assertThat(registry("list").out()).isEmpty();
    }

    @Test
    void remove_unknown_suggestsTheNearest() {
        registry("add", PEFT + "/plain");
        assertThat(registry("remove", "plane").err()).contains("did you mean 'plain'");
        assertThat(registry("remove", "plain").code()).isZero();
        assertThat(registry("list").out()).isEmpty();
    }

    @Test
    void list_withoutRegistry_saysHowToNameOne() {
        Cli run = Cli.run("registry", "list");
        assertThat(run.code()).isEqualTo(2);
        assertThat(run.err()).contains("--registry sqlite:FILE");
    }
}
