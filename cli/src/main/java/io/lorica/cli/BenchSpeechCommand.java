package io.lorica.cli;

import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.lorica.tensor.Threads;
import io.lorica.train.report.Table;
import io.lorica.train.speech.SpeechExperiment;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** {@code lorica bench speech}: word error rates of Llama-MTSK by audio rate, video rate and strategy. */
@Command(
        name = "speech",
        header = "Compare the strategies of mtsk on digits that are spoken and shown.",
        description = {
            "Trains a small model that hears and sees (no pretrained encoders are used), freezes it, adapts it by each",
            "strategy, and prints the word error rate at each audio and video rate. Noise lies over the sound, and some",
            "digits are not shown."
        },
        footer = {"", "Example: lorica bench speech --audio fsdd-subset.zip --images mnist --out speech"})
final class BenchSpeechCommand implements Callable<Integer> {

    @Option(
            names = "--audio",
            required = true,
            paramLabel = "ZIP",
            description = "SPLIT/DIGIT_SPEAKER_NUMBER.wav in it.")
    @SuppressWarnings("NullAway.Init")
    Path audio;

    @Option(names = "--images", required = true, paramLabel = "DIR", description = "MNIST's IDX files.")
    @SuppressWarnings("NullAway.Init")
    Path images;

    @Option(names = "--out", required = true, paramLabel = "DIR", description = "Directory of model and adapters.")
    @SuppressWarnings("NullAway.Init")
    Path out;

    @Option(names = "--clips", defaultValue = "600", description = "Clips to train on (default: ${DEFAULT-VALUE}).")
    int clips;

    @Option(names = "--test-clips", defaultValue = "200", description = "Clips to test on (default: ${DEFAULT-VALUE}).")
    int testClips;

    @Option(
            names = "--decibels",
            defaultValue = "0",
            description = "Of the sound above its noise (default: ${DEFAULT-VALUE}).")
    double decibels;

    @Option(
            names = "--hidden",
            defaultValue = "0.3",
            description = "Share of digits that are not shown (default: ${DEFAULT-VALUE}).")
    double hidden;

    @Option(
            names = "--pretrain-steps",
            defaultValue = "600",
            description = "Steps of the small model (default: ${DEFAULT-VALUE}).")
    int pretrainSteps;

    @Option(names = "--steps", defaultValue = "200", description = "Steps of each adapter (default: ${DEFAULT-VALUE}).")
    int steps;

    @Option(names = "--seed", defaultValue = "0", description = "Of all that is random (default: ${DEFAULT-VALUE}).")
    long seed;

    @Option(names = "--threads", defaultValue = "1", description = "Of libtorch (default: ${DEFAULT-VALUE}).")
    int threads;

    @Option(
            names = "--save-clips",
            description = "Also write the clips into --out, with train.jsonl and test.jsonl for lorica train and eval.")
    boolean saveClips;

    @Option(names = "--json", description = "One JSON object instead of the table.")
    boolean json;

    private final Console console;

    BenchSpeechCommand(Console console) {
        this.console = console;
    }

    @Override
    public Integer call() {
        Threads.set(threads);
        SpeechExperiment experiment = new SpeechExperiment(new SpeechExperiment.Settings(
                clips, testClips, decibels, hidden, pretrainSteps, steps, seed, saveClips));
        List<SpeechExperiment.Result> results = experiment.run(audio, images, out, (part, step, all, loss) -> {
            if (step % 50 == 0 || step == all) {
                console.note("%s: step %d of %d, loss %.3f".formatted(part, step, all, loss));
            }
        });
        if (json) {
            ObjectNode document =
                    JsonNodeFactory.instance.objectNode().put("seed", seed).put("decibels", decibels);
            document.put("hidden", hidden).put("pretrain_steps", pretrainSteps).put("steps", steps);
            document.put("clips", clips).put("test_clips", testClips);
            results.forEach(result -> document.withArray("results").add(result.json()));
            console.json(document);
            return 0;
        }
        Table table =
                new Table("strategy", "audio rate", "video rate", "tokens", "WER", "wrong sound", "wrong pictures");
        results.forEach(result -> table.row(
                result.strategy(),
                result.rates().audio(),
                result.rates().video(),
                result.tokens(),
                Units.percent(result.both()),
                Units.percent(result.deaf()),
                Units.percent(result.blind())));
        console.print(table.text());
        return 0;
    }
}
