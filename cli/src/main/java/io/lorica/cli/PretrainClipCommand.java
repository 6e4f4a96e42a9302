package io.lorica.cli;

import io.lorica.tensor.LoricaException;
import io.lorica.train.fewshot.ClipPretrainer;
import io.lorica.train.fewshot.ImageSet;
import io.lorica.train.fewshot.ImageSets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** {@code lorica pretrain-clip}: a small CLIP from image sets. */
@Command(
        name = "pretrain-clip",
        header = "Train a small CLIP from image sets, whose classes are the captions.",
        description = {
            "For trying few-shot learning where no published CLIP is at hand. It learns the classes it is shown and",
            "little of language; keep the classes to be learned later out of it (--classes base)."
        },
        footer = {"", "Example: lorica pretrain-clip --images cifar10.zip mnist --classes base --out tiny-clip"})
final class PretrainClipCommand implements Callable<Integer> {

    @Option(
            names = "--images",
            required = true,
            arity = "1..*",
            paramLabel = "PATH",
            description =
                    "Folders or zip files of train/CLASS/picture and test/CLASS/picture, or folders of IDX files.")
    List<Path> images = List.of();

    @Option(
            names = "--classes",
            defaultValue = "base",
            description = "base (first half of each set's classes), new or all (default: ${DEFAULT-VALUE}).")
    String classes = "";

    @Option(names = "--out", required = true, paramLabel = "DIR", description = "Directory of the model.")
    @SuppressWarnings("NullAway.Init")
    Path out;

    @Option(names = "--steps", defaultValue = "1500", description = "Optimizer steps (default: ${DEFAULT-VALUE}).")
    int steps;

    @Option(
            names = "--batch-size",
            defaultValue = "64",
            description = "Pictures of a step (default: ${DEFAULT-VALUE}).")
    int batchSize;

    @Option(names = "--learning-rate", defaultValue = "1e-3", description = "At the start (default: ${DEFAULT-VALUE}).")
    double learningRate;

    @Option(
            names = "--template",
            defaultValue = "a photo of a {}.",
            description = "Caption of a class (default: ${DEFAULT-VALUE}).")
    String template = "";

    @Option(names = "--seed", defaultValue = "0", description = "Of all that is random (default: ${DEFAULT-VALUE}).")
    long seed;

    private final Console console;

    PretrainClipCommand(Console console) {
        this.console = console;
    }

    @Override
    public Integer call() {
        if (steps < 1 || batchSize < 1 || !(learningRate > 0)) {
            throw new LoricaException.BadInput("--steps " + steps + ", --batch-size " + batchSize
                    + " and --learning-rate " + learningRate + " must be above 0");
        }
        if (Files.exists(out.resolve("model.safetensors"))) {
            throw new LoricaException.BadInput("the directory " + out + " holds a model already; choose another --out");
        }
        ImageSet.Part part = ImageSet.Part.parse(classes);
        List<ImageSet> sets =
                images.stream().map(path -> ImageSets.read(path).only(part)).toList();
        ClipPretrainer pretrainer =
                new ClipPretrainer(new ClipPretrainer.Settings(steps, batchSize, learningRate, seed, template));
        try (Progress progress = new Progress(console, "pretrain-clip", steps, "steps", 1)) {
            double loss = pretrainer.run(sets, out, (step, value) -> progress.at(step, "loss %.3f".formatted(value)));
            console.print("loss %.4f after %d steps".formatted(loss, steps));
        }
        console.print("model " + out);
        return 0;
    }
}
