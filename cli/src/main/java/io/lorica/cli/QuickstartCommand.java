package io.lorica.cli;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.lorica.model.CausalModel;
import io.lorica.model.ChatTemplate;
import io.lorica.model.Message;
import io.lorica.model.ModelStore;
import io.lorica.model.Pretrained;
import io.lorica.model.Sampling;
import io.lorica.model.TextGenerator;
import io.lorica.model.Tokenizer;
import io.lorica.tensor.AtomicFile;
import io.lorica.tensor.LoricaException;
import io.lorica.train.FineTune;
import io.lorica.train.Trainer;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.LocalDateTime;
import java.time.ZoneId;
import java.time.format.DateTimeFormatter;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** {@code lorica quickstart}: the main job on real data, from nothing to an adapter and what it changed. */
@Command(
        name = "quickstart",
        header = "Fine-tune a real model on real data and show what changed; a few minutes.",
        description =
                "Teaches smollm2-135m-instruct to say facts about a restaurant in one sentence, with 240 rows of the"
                        + " E2E NLG data set (CC BY-SA 4.0), and shows held-out loss and an answer before and after. Where the model"
                        + " cannot be had, takes the small built-in lorica-tiny instead, and says so.",
        footer = {"", "Example: lorica quickstart --out runs/first"})
final class QuickstartCommand implements Callable<Integer> {
    private static final String REAL = "smollm2-135m-instruct";
    private static final String BUILT_IN = "lorica-tiny";
    private static final Sampling ANSWER = Sampling.greedy(72);

    @Option(names = "--model", paramLabel = "REF", description = "Another base model.")
    @Nullable
    String model;

    @Option(names = "--out", paramLabel = "DIR", description = "Run directory (default: runs/quickstart-TIME).")
    @Nullable
    Path out;

    private final Console console;

    QuickstartCommand(Console console) {
        this.console = console;
    }

    @Override
    public Integer call() {
        Path directory = out != null
                ? out
                : Path.of(
                        "runs",
                        "quickstart-"
                                + LocalDateTime.now(ZoneId.systemDefault())
                                        .format(DateTimeFormatter.ofPattern("yyyyMMdd-HHmmss")));
        if (Files.exists(directory)) {
            throw new LoricaException.BadInput("the directory " + directory + " exists already; choose another --out");
        }
        Path rows = unpack(directory, "train.jsonl");
        Path heldOut = unpack(directory, "held-out.jsonl");
        RunSettings settings = RunSettings.parse("lora", settings(), "quickstart");
        FineTune.Spec spec = new FineTune.Spec(
                base(),
                rows,
                heldOut,
                0,
                "lora",
                settings.adapter(),
                null,
                settings.training(),
                settings.template(),
                settings.columns(),
                directory,
                false);
        try (TrainProgress progress = new TrainProgress(console, "train");
                FetchProgress fetch = new FetchProgress(console);
                FineTune job = FineTune.prepare(spec, ModelStore.standard(fetch), progress);
                Interrupt _ = new Interrupt(job::stop, console)) {
            return run(job, directory, prompt(heldOut), progress);
        }
    }

    private static ObjectNode settings() {
        return new ObjectMapper()
                .createObjectNode()
                .put("r", 16)
                .put("lora_alpha", 32)
                .put("target_modules", "all-linear")
                .put("learning_rate", 1e-3)
                .put("warmup_ratio", 0.1)
                .put("lr_scheduler_type", "cosine")
                .put("per_device_train_batch_size", 8)
                .put("max_length", 256);
    }

    private String base() {
        if (model != null) {
            return model;
        }
        try (FetchProgress fetch = new FetchProgress(console)) {
            ModelStore.standard(fetch).locate(REAL);
            return REAL;
        } catch (LoricaException.NotFound e) {
            console.note(String.valueOf(e.getMessage()));
            console.note(
                    "Going on with the built-in " + BUILT_IN + ": a few million parameters that write plausible words"
                            + " and know nothing. The steps are the same, the answers are not worth reading.");
            return BUILT_IN;
        }
    }

    private int run(FineTune job, Path directory, String prompt, TrainProgress progress) {
        console.print("base       %s, %d sites adapted with LoRA, %s parameters trained"
                .formatted(
                        job.base().reference(),
                        job.adapter().sites().size(),
                        Units.count(job.adapter().parameterCount())));
        console.print("data       %d rows to learn from, %d held out: facts about a restaurant to one sentence"
                .formatted(job.split().train().size(), job.split().heldOut().size()));
        String before = baseAnswer(job, prompt);
        Trainer.Outcome outcome = job.run();
        progress.done();
        if (outcome.interrupted()) {
            console.note("stopped after step " + outcome.steps());
            return 1;
        }
        show(outcome, directory, prompt, before, answer(job.base(), prompt));
        return 0;
    }

    private static String baseAnswer(FineTune job, String prompt) {
        Map<String, Double> active = Map.copyOf(job.stack().active());
        job.stack().disable();
        String answer = answer(job.base(), prompt);
        job.stack().activate(active);
        return answer;
    }

    private void show(Trainer.Outcome outcome, Path directory, String prompt, String before, String after) {
        console.print("loss       %.3f before, %.3f after, on rows it has not seen (nats per token; %d steps in %s)"
                .formatted(
                        outcome.lossBefore(),
                        outcome.lossAfter(),
                        outcome.steps(),
                        Progress.text(Duration.ofMillis((long) (outcome.seconds() * 1000)))));
        console.print("");
        console.print("prompt     " + indent(prompt));
        console.print("base       " + indent(before));
        console.print("adapted    " + indent(after));
        console.print("");
        console.print("adapter    " + directory);
        console.print("loss curve " + directory.resolve("loss.png"));
    }

    private static String indent(String text) {
        return text.strip().replace("\n", "\n           ");
    }

    private static String answer(Pretrained base, String prompt) {
        CausalModel causal = base.causal();
        Tokenizer tokenizer = base.tokenizer();
        Optional<ChatTemplate> template = tokenizer.chatTemplate();
        long[] tokens = template.isPresent()
                ? tokenizer.encode(template.get().render(List.of(new Message("user", prompt)), true), false)
                : tokenizer.encode(prompt, true);
        return TextGenerator.generate(causal, tokenizer, tokens, ANSWER, _ -> {})
                .text();
    }

    /** The first held-out row's question. */
    private static String prompt(Path heldOut) {
        try {
            JsonNode row = new ObjectMapper()
                    .readTree(Files.readString(heldOut).lines().findFirst().orElseThrow());
            return row.get("prompt").asText();
        } catch (IOException e) {
            throw new LoricaException.Internal("cannot read " + heldOut + ": " + e.getMessage(), e);
        }
    }

    /** Copies the rows beside the run, so that it can be repeated with {@code lorica train}. */
    private static Path unpack(Path directory, String name) {
        Path target = directory.resolve("data").resolve(name);
        try (InputStream in = QuickstartCommand.class.getResourceAsStream("quickstart/" + name)) {
            if (in == null) {
                throw new LoricaException.Internal("the build lacks the resource quickstart/" + name);
            }
            AtomicFile.writeString(target, new String(in.readAllBytes(), StandardCharsets.UTF_8));
            return target;
        } catch (IOException e) {
            throw new LoricaException.Internal("cannot unpack " + name + ": " + e.getMessage(), e);
        }
    }
}
