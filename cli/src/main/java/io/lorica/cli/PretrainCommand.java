package io.lorica.cli;

import com.fasterxml.jackson.databind.node.ObjectNode;
import io.lorica.adapter.Options;
import io.lorica.tensor.LoricaException;
import io.lorica.tensor.Threads;
import io.lorica.train.PretrainConfig;
import io.lorica.train.Pretrainer;
import io.lorica.train.TrainConfig;
import io.lorica.train.Trainer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.atomic.AtomicReference;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** {@code lorica pretrain}: a small model and its tokenizer from plain text. */
@Command(
        name = "pretrain",
        header = "Train a small Llama-architecture model and its tokenizer from plain text.",
        description =
                "Full training with the trainer that adapters use. Sizes are spelled as in config.json (hidden_size,"
                        + " num_hidden_layers, vocab_size …), training as in lorica train; the default sizes are those of the"
                        + " built-in lorica-tiny.",
        footer = {
            "",
            "Example: lorica pretrain --text book.txt --out my-tiny --set hidden_size=128 --set num_train_epochs=2"
        })
final class PretrainCommand implements Callable<Integer> {

    @Option(names = "--text", required = true, arity = "1..*", paramLabel = "FILE", description = "UTF-8 text files.")
    List<Path> texts = List.of();

    @Option(names = "--out", required = true, paramLabel = "DIR", description = "Directory of the model.")
    @SuppressWarnings("NullAway.Init")
    Path out;

    @Option(names = "--config", paramLabel = "FILE", description = "Settings as YAML.")
    @Nullable
    Path config;

    @Option(names = "--set", paramLabel = "KEY=VALUE", description = "A setting; stands before --config.")
    List<String> set = List.of();

    @Option(names = "--resume", description = "Go on from the newest checkpoint in --out.")
    boolean resume;

    private final Console console;

    PretrainCommand(Console console) {
        this.console = console;
    }

    @Override
    public Integer call() {
        ObjectNode settings = Settings.read(config, set);
        Options options = new Options(settings, config == null ? "--set" : config.toString());
        PretrainConfig sizes = PretrainConfig.parse(options);
        TrainConfig training = TrainConfig.parse(options);
        options.refuseUnknown();
        requireUsable();
        if (training.threads() > 0) {
            Threads.set(training.threads());
        }
        AtomicReference<Trainer> running = new AtomicReference<>();
        try (TrainProgress progress = new TrainProgress(console, "pretrain");
                Interrupt _ = new Interrupt(() -> stop(running.get()), console)) {
            Trainer.Outcome outcome = new Pretrainer(sizes, training, out).run(texts, resume, progress, running::set);
            progress.done();
            if (outcome.interrupted()) {
                console.note("stopped after step " + outcome.steps()
                        + " with a checkpoint; to go on, give the same command with --resume");
                return 1;
            }
            console.print("held-out loss %.4f before, %.4f after %d steps"
                    .formatted(outcome.lossBefore(), outcome.lossAfter(), outcome.steps()));
            console.print("model " + out);
            return 0;
        }
    }

    private static void stop(@Nullable Trainer trainer) {
        if (trainer != null) {
            trainer.stop();
        }
    }

    private void requireUsable() {
        for (Path text : texts) {
            if (!Files.isRegularFile(text)) {
                throw new LoricaException.NotFound("the text file " + text + " does not exist");
            }
        }
        if (!resume && Files.exists(out.resolve("model.safetensors"))) {
            throw new LoricaException.BadInput("the directory " + out + " holds a model already; choose another --out");
        }
    }
}
