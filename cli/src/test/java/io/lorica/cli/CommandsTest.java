package io.lorica.cli;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import picocli.CommandLine;

/** The command line as a contract: exit codes, what goes to which stream, what a message says. Runs on lorica-tiny. */
class CommandsTest {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final String MODEL = "lorica-tiny";

    @TempDir
    @SuppressWarnings("NullAway.Init")
    static Path folder;

    private static String rows = "";
    private static String run = "";

    @BeforeAll
    static void trainAnAdapter() throws IOException {
        System.setProperty("lorica.home", folder.resolve("home").toString());
        List<String> lines = new ArrayList<>();
        for (int i = 0; i < 24; i++) {
            lines.add("{\"prompt\": \"Say %d.\", \"completion\": \"The king said %d.\"}".formatted(i, i));
        }
        rows = Files.write(folder.resolve("rows.jsonl"), lines).toString();
        run = folder.resolve("run").toString();
        Cli trained = train(rows, run, "--set", "r=2", "--set", "max_steps=2", "--json");
        assertThat(trained.code()).as(trained.err()).isZero();
        assertThat(json(trained).get("steps").asInt()).isEqualTo(2);
    }

    @AfterAll
    static void forgetHome() {
        System.clearProperty("lorica.home");
    }

    private static Cli train(String data, String out, String... more) {
        List<String> arguments = new ArrayList<>(List.of(
                "train",
                "--model",
                MODEL,
                "--data",
                data,
                "--out",
                out,
                "--set",
                "dtype=float32",
                "--set",
                "threads=1"));
        arguments.addAll(List.of(more));
        return Cli.run(arguments.toArray(String[]::new));
    }

    /** Fails unless standard output is one JSON document and nothing else. */
    private static JsonNode json(Cli run) {
        assertThat(run.out()).hasLineCount(1);
        try {
            return JSON.readTree(run.out());
        } catch (IOException e) {
            throw new AssertionError("not JSON: " + run.out(), e);
        }
    }

    @Test
    void train_finished_leavesTheWholeRunDirectory() {
        assertThat(Path.of(run))
                .isDirectoryContaining(file -> file.endsWith("adapter_config.json"))
                .isDirectoryContaining(file -> file.endsWith("adapter_model.safetensors"))
                .isDirectoryContaining(file -> file.endsWith("lorica.json"))
                .isDirectoryContaining(file -> file.endsWith("selftest.safetensors"))
                .isDirectoryContaining(file -> file.endsWith("run.json"))
                .isDirectoryContaining(file -> file.endsWith("metrics.jsonl"))
                .isDirectoryContaining(file -> file.endsWith("loss.png"))
                .isDirectoryContaining(file -> file.endsWith("README.md"));
    }

    @Test
    void train_usedDirectory_isRefused() {
        Cli again = train(rows, run);
        assertThat(again.code()).isEqualTo(2);
        assertThat(again.err()).contains(run).contains("--resume");
    }

    @Test
    void train_misspeltMethod_nearestIsNamed() {
        Cli wrong = train(rows, folder.resolve("none").toString(), "--method", "rslroa");
        assertThat(wrong.code()).isEqualTo(2);
        assertThat(wrong.err()).contains("'rslroa'").contains("did you mean 'rslora'?");
    }

    @Test
    void train_misspeltTrainingKey_nearestIsNamed() {
        Cli wrong = train(rows, folder.resolve("none").toString(), "--set", "learning_rat=1e-3");
        assertThat(wrong.code()).isEqualTo(2);
        assertThat(wrong.err()).contains("'learning_rat'").contains("did you mean 'learning_rate'?");
    }

    @Test
    void train_brokenRow_fileAndLineAreNamed() throws IOException {
        Path broken = Files.writeString(
                folder.resolve("broken.jsonl"), "{\"prompt\": \"a\", \"completion\": \"b\"}\n{\"prompt\": \"a\", \n");
        Cli wrong = train(broken.toString(), folder.resolve("none").toString());
        assertThat(wrong.code()).isEqualTo(2);
        assertThat(wrong.err()).contains("broken.jsonl").contains("line 2");
    }

    @Test
    void train_fromAnAdapter_beginsWhereThatEnded() {
        String more = folder.resolve("more").toString();
        Cli trained = train(rows, more, "--adapter", run, "--set", "max_steps=1", "--json");
        assertThat(trained.code()).as(trained.err()).isZero();
        JsonNode first = read(run).get("results");
        assertThat(json(trained).get("loss_before").asText())
                .startsWith(first.get("held-out loss after").asText().substring(0, 5));
    }

    @Test
    void train_fromAnAdapterWithOtherSettings_isRefused() {
        Cli refused = train(rows, folder.resolve("none").toString(), "--adapter", run, "--set", "r=4");
        assertThat(refused.code()).isEqualTo(2);
        assertThat(refused.err()).contains("keeps its own r;");
    }

    @Test
    void adapterQpissa_split_trainsOnItsQuantizedModel() {
        String split = folder.resolve("qpissa").toString();
        Cli made = Cli.run(
                "adapter", "qpissa", "--model", MODEL, "--rank", "4", "--iterations", "2", "--out", split, "--json");
        assertThat(made.code()).as(made.err()).isZero();
        assertThat(json(made).get("reduction").asDouble()).isBetween(0.01, 0.99);
        Cli trained = Cli.run(
                "train",
                "--model",
                split,
                "--weights",
                "nf4",
                "--adapter",
                split + "/pissa_init",
                "--data",
                rows,
                "--out",
                folder.resolve("on-qpissa").toString(),
                "--set",
                "max_steps=1",
                "--set",
                "threads=1");
        assertThat(trained.code()).as(trained.err()).isZero();
    }

    @Test
    void adapterConvert_toGguf_writesTheTrainedAdapter() {
        String file = folder.resolve("adapter.gguf").toString();
        Cli written = Cli.run("adapter", "convert", run, "--to", "gguf", "--model", MODEL, "--out", file);
        assertThat(written.code()).as(written.err()).isZero();
        assertThat(Path.of(file)).isNotEmptyFile();
        Cli again = Cli.run("adapter", "convert", run, "--to", "gguf", "--model", MODEL, "--out", file);
        assertThat(again.err()).contains("exists already");
    }

    @Test
    void adapterConvert_optionsOfTheOtherLayout_areRefused() {
        String out = folder.resolve("not-written").toString();
        Cli alpha = Cli.run("adapter", "convert", run, "--to", "gguf", "--alpha", "8", "--out", out);
        assertThat(alpha.code()).isEqualTo(2);
        assertThat(alpha.err()).contains("--alpha 8.0 is for loralib's files");
        assertThat(Cli.run("adapter", "convert", run, "--to", "gguf", "--out", out)
                        .err())
                .contains("--model is missing");
        assertThat(Cli.run("adapter", "convert", run, "--out", out).err()).contains("--alpha is missing");
    }

    private static JsonNode read(String directory) {
        try {
            return JSON.readTree(Path.of(directory, "run.json").toFile());
        } catch (IOException e) {
            throw new java.io.UncheckedIOException(e);
        }
    }

    @Test
    void train_missingData_isNamedBeforeAnythingIsLoaded() {
        Cli wrong = train("nowhere.jsonl", folder.resolve("none").toString());
        assertThat(wrong.code()).isEqualTo(2);
        assertThat(wrong.err()).contains("nowhere.jsonl").doesNotContain("\tat ");
    }

    @Test
    void train_configFile_givesWhatOptionsDoNot() throws IOException {
        Path config =
                Files.writeString(folder.resolve("run.yaml"), """
                model: %s
                data: %s
                out: %s
                learning_rate: 1e-4
                target_modules: [q_proj]
                max_steps: 1
                dtype: float32
                threads: 1
                """.formatted(MODEL, rows, folder.resolve("by-config")));
        Cli trained = Cli.run("train", "--config", config.toString(), "--json");
        assertThat(trained.code()).as(trained.err()).isZero();
        assertThat(folder.resolve("by-config/adapter_config.json"))
                .content()
                .contains("q_proj")
                .doesNotContain("v_proj");
    }

    @Test
    void train_verify_showsThatTheSplitChangesNothingAndTrainsNothing() {
        Cli verified = train(rows, run, "--verify", "--json");
        assertThat(verified.code()).as(verified.err()).isZero();
        JsonNode check = json(verified);
        assertThat(check.get("ok").asBoolean()).isTrue();
        assertThat(check.get("ways").findValuesAsText("way"))
                .containsExactly(
                        "batch 8, packed", "batch 4 x 2", "batch 2 x 4", "batch 1 x 8", "mean over single examples");
    }

    @Test
    void logits_json_holdsTokensAndLogitsOnly() {
        JsonNode answer = json(Cli.run("logits", "--model", MODEL, "--text", "The king", "--threads", "1", "--json"));
        assertThat(answer.properties().stream().map(java.util.Map.Entry::getKey))
                .containsExactly("tokens", "logits");
        assertThat(answer.get("logits")).hasSizeGreaterThan(4000);
    }

    @Test
    void logits_adapter_changesThem() {
        String[] base = {"logits", "--model", MODEL, "--text", "The king", "--threads", "1"};
        List<String> adapted = new ArrayList<>(List.of(base));
        adapted.addAll(List.of("--adapter", run));
        assertThat(Cli.run(adapted.toArray(String[]::new)).out())
                .isNotEqualTo(Cli.run(base).out());
    }

    @Test
    void generate_adapterOfAnotherTokenizer_isRefusedWithTheDifference() throws IOException {
        Path other = Files.createDirectory(folder.resolve("other"));
        for (String file : List.of("adapter_config.json", "adapter_model.safetensors")) {
            Files.copy(Path.of(run, file), other.resolve(file));
        }
        String record = Files.readString(Path.of(run, "lorica.json"));
        Files.writeString(
                other.resolve("lorica.json"),
                record.replaceAll("\"eos_token_ids\" : \\[[^]]*]", "\"eos_token_ids\" : [7]"));
        Cli refused =
                Cli.run("generate", "--model", MODEL, "--adapter", other.toString(), "--prompt", "x", "--threads", "1");
        assertThat(refused.code()).isEqualTo(1);
        assertThat(refused.err()).contains("end tokens").contains("instead of [7]");
    }

    @Test
    void train_dryRun_listsPartsThatSumToTheTotalAndTrainsNothing() {
        JsonNode plan = json(train(rows, folder.resolve("never").toString(), "--dry-run", "--json"));
        long sum = 0;
        for (JsonNode part : plan.get("parts")) {
            sum += part.get("training").asLong();
        }
        assertThat(sum).isEqualTo(plan.get("training").asLong()).isPositive();
        assertThat(folder.resolve("never")).doesNotExist();
    }

    @Test
    void train_budgetTooSmall_isRefusedWithThePlanBeforeItStarts() {
        Cli refused = train(rows, folder.resolve("never").toString(), "--memory", "20MiB");
        assertThat(refused.code()).isEqualTo(2);
        assertThat(refused.err())
                .contains("20 MiB")
                .contains("gradient checkpointing")
                .contains("optimizer state");
        assertThat(folder.resolve("never")).doesNotExist();
    }

    @Test
    void train_budgetNoSize_isRefused() {
        Cli wrong = train(rows, folder.resolve("never").toString(), "--memory", "6 lots");
        assertThat(wrong.code()).isEqualTo(2);
        assertThat(wrong.err()).contains("'6 lots'").contains("6GiB");
    }

    @Test
    void generate_json_keepsStandardOutputPure() {
        Cli answer = Cli.run(
                "generate", "--model", MODEL, "--prompt", "The king", "--max-tokens", "3", "--threads", "1", "--json");
        assertThat(json(answer).get("tokens").size()).isBetween(1, 3);
    }

    @Test
    void generate_imageForAModelWithoutEyes_isRefused() {
        Cli wrong = Cli.run("generate", "--model", MODEL, "--prompt", "<image>", "--image", "x.png", "--threads", "1");
        assertThat(wrong.code()).isEqualTo(2);
        assertThat(wrong.err()).contains("the prompt: it has an image, but the model sees none");
    }

    @Test
    void eval_perplexity_isTheExponentialOfTheLoss() {
        JsonNode values = json(Cli.run(
                        "eval", "--model", MODEL, "--data", rows, "--limit", "4", "--threads", "1", "--json"))
                .get("values");
        double loss = values.get("loss").get("value").asDouble();
        assertThat(values.get("perplexity").get("value").asDouble())
                .isCloseTo(Math.exp(loss), org.assertj.core.data.Offset.offset(1e-6 * Math.exp(loss)));
    }

    @Test
    void adapterInspect_onItsBase_coversAll() {
        JsonNode report = json(Cli.run("adapter", "inspect", run, "--model", MODEL, "--json"));
        assertThat(report.get("coverage").asText()).isEqualTo("20 of 20 tensors on 10 sites");
    }

    @Test
    void adapterVerify_onItsBase_isTrusted() {
        Cli verified = Cli.run("adapter", "verify", run, "--model", MODEL, "--json");
        assertThat(verified.code()).as(verified.err()).isZero();
        assertThat(json(verified).get("trusted").asBoolean()).isTrue();
    }

    @Test
    void adapterMerge_float32_writesAModelThatLoads() {
        String merged = folder.resolve("merged").toString();
        Cli done = Cli.run("adapter", "merge", run, "--model", MODEL, "--out", merged, "--json");
        assertThat(done.code()).as(done.err()).isZero();
        assertThat(json(done).get("logit_change").asDouble()).isLessThan(1e-3);
        assertThat(json(Cli.run("models", "info", merged, "--json"))
                        .get("architecture")
                        .asText())
                .isEqualTo("llama");
    }

    @Test
    void modelsList_json_namesTheBuiltIn() {
        assertThat(json(Cli.run("models", "list", "--json")).findValuesAsText("name"))
                .contains(MODEL);
    }

    @Test
    void methods_json_hasDefaultsOfEverySetting() {
        JsonNode methods = json(Cli.run("methods", "lora", "--json"));
        assertThat(methods.get(0).get("parameters").findValuesAsText("name")).contains("r", "lora_alpha");
        assertThat(methods.get(0).get("parameters").findValues("default")).noneMatch(JsonNode::isNull);
    }

    @Test
    void model_unknown_isAnsweredWithWhatAReferenceMayBe() {
        Cli wrong = Cli.run("generate", "--model", "lorica-tny", "--prompt", "x");
        assertThat(wrong.code()).isEqualTo(2);
        assertThat(wrong.err()).contains("'lorica-tny'").contains("lorica-tiny").hasLineCount(1);
    }

    @Test
    void misspeltSubcommand_nearestIsNamed() {
        Cli wrong = Cli.run("adapter", "verfy");
        assertThat(wrong.code()).isEqualTo(2);
        assertThat(wrong.err()).contains("did you mean 'verify'?");
    }

    @Test
    void help_ofEveryCommand_endsWithAnExample() {
        PrintStream nowhere = new PrintStream(java.io.OutputStream.nullOutputStream(), false);
        assertThat(leaves(Commands.all(new Console(nowhere, nowhere)))).allSatisfy(command -> {
            List<String> lines = command.getUsageMessage().strip().lines().toList();
            assertThat(lines.stream().skip(Math.max(0, lines.size() - 3)))
                    .as(command.getCommandSpec().qualifiedName())
                    .anyMatch(line -> line.startsWith("Example: lorica "));
        });
    }

    private static List<CommandLine> leaves(CommandLine command) {
        List<CommandLine> leaves = new ArrayList<>();
        command.getSubcommands().values().forEach(child -> leaves.addAll(leaves(child)));
        return leaves.isEmpty() ? List.of(command) : leaves;
    }

    @Test
    void eval_trainedClassifier_saysHowWellItDoes() throws IOException {
        String data = Files.writeString(
                        folder.resolve("labels.jsonl"),
                        "{\"text\": \"a king\", \"label\": \"royal\"}\n{\"text\": \"a cow\", \"label\": \"farm\"}\n"
                                .repeat(8))
                .toString();
        String out = folder.resolve("classifier").toString();
        Cli trained = train(data, out, "--task-type", "SEQ_CLS", "--set", "r=2", "--set", "max_steps=1", "--json");
        assertThat(trained.code()).as(trained.err()).isZero();
        Cli scored = Cli.run(
                "eval",
                "--model",
                MODEL,
                "--adapter",
                out,
                "--task",
                "classification",
                "--data",
                data,
                "--dtype",
                "float32",
                "--json");
        assertThat(scored.code()).as(scored.err()).isZero();
        assertThat(json(scored).path("values").path("accuracy").path("value").asDouble())
                .isBetween(0.0, 1.0);
        Cli generated = Cli.run("generate", "--model", MODEL, "--adapter", out, "--prompt", "x");
        assertThat(generated.code()).isEqualTo(1);
        assertThat(generated.err()).contains("is a llama classifier, which does not generate text");
    }

    @Test
    void eval_listTasks_needsNoModel() {
        Cli listed = Cli.run("eval", "--list-tasks");
        assertThat(listed.code()).as(listed.err()).isZero();
        assertThat(listed.out()).contains("arc_easy").contains("commonsense/piqa/test.jsonl");
    }

    @Test
    void eval_misspeltTask_suggestsTheNearest() {
        Cli wrong = Cli.run("eval", "--model", MODEL, "--task", "piqua");
        assertThat(wrong.code()).isEqualTo(2);
        assertThat(wrong.err()).contains("did you mean 'piqa'?");
    }
}
