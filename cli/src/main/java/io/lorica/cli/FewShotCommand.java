package io.lorica.cli;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import io.lorica.adapter.AdapterConfig;
import io.lorica.adapter.SiteShape;
import io.lorica.model.ImageTextModel;
import io.lorica.model.Pretrained;
import io.lorica.model.image.ImageProcessor;
import io.lorica.tensor.AtomicFile;
import io.lorica.tensor.DType;
import io.lorica.tensor.LoricaException;
import io.lorica.train.fewshot.FewShot;
import io.lorica.train.fewshot.FewShotConfig;
import io.lorica.train.fewshot.FewShotReport;
import io.lorica.train.fewshot.FewShotRow;
import io.lorica.train.fewshot.ImageSet;
import io.lorica.train.fewshot.ImageSets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SequencedMap;
import java.util.concurrent.Callable;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** {@code lorica fewshot}: adapters of CLIP from a few pictures of each class. */
@Command(
        name = "fewshot",
        header = "Adapt CLIP to the classes of image sets from a few pictures each, and measure it.",
        description = {
            "The protocol of CLIP-LoRA: 500 steps for each shot, captions from a template, the last weights count;",
            "test accuracy is the mean over seeds with its 95 %% interval. Runs on the CPU: start with few iterations."
        },
        footer = {
            "",
            "Example: lorica fewshot --model tiny-clip --images cifar10.zip --classes new --method block-lora"
                    + " --method lora,r=2"
        })
final class FewShotCommand implements Callable<Integer> {

    @Option(names = "--model", required = true, paramLabel = "REF", description = "A CLIP model: directory or hub id.")
    String model = "";

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
            defaultValue = "all",
            description = "all, base (first half of each set's classes) or new (default: ${DEFAULT-VALUE}).")
    String classes = "";

    @Option(
            names = "--method",
            paramLabel = "NAME[,KEY=VALUE...]",
            description = "A method with its settings; may be given several times (default: block-lora).")
    List<String> methods = List.of("block-lora");

    @Option(names = "--set", paramLabel = "KEY=VALUE", description = "A setting of every method.")
    List<String> set = List.of();

    @Option(
            names = "--shots",
            split = ",",
            defaultValue = "1,2,4,8,16",
            description = "Pictures per class (default: ${DEFAULT-VALUE}).")
    List<Integer> shots = List.of();

    @Option(names = "--seeds", defaultValue = "3", description = "Runs of each (default: ${DEFAULT-VALUE}).")
    int seeds;

    @Option(names = "--iterations", defaultValue = "500", description = "Steps per shot (default: ${DEFAULT-VALUE}).")
    int iterations;

    @Option(
            names = "--batch-size",
            defaultValue = "32",
            description = "Pictures of a step (default: ${DEFAULT-VALUE}).")
    int batchSize;

    @Option(names = "--learning-rate", defaultValue = "2e-4", description = "At the start (default: ${DEFAULT-VALUE}).")
    double learningRate;

    @Option(
            names = "--crop",
            defaultValue = "0.08",
            description = "Least share of a picture that augmentation keeps; 1 for none (default: ${DEFAULT-VALUE}).")
    double crop;

    @Option(
            names = "--flip",
            defaultValue = "0.5",
            description = "How often augmentation mirrors a picture; 0 for digits (default: ${DEFAULT-VALUE}).")
    double flip;

    @Option(
            names = "--template",
            defaultValue = "a photo of a {}.",
            description = "Caption of a class (default: ${DEFAULT-VALUE}).")
    String template = "";

    @Option(names = "--test-limit", paramLabel = "N", description = "At most N test pictures of each class.")
    int testLimit = Integer.MAX_VALUE;

    @Option(names = "--out", paramLabel = "DIR", description = "Also write fewshot.md, fewshot.json and a plot a set.")
    @Nullable
    Path out;

    @Option(names = "--json", description = "One JSON array.")
    boolean json;

    private final Console console;

    FewShotCommand(Console console) {
        this.console = console;
    }

    @Override
    public Integer call() {
        FewShotConfig config =
                new FewShotConfig(shots, seeds, iterations, batchSize, learningRate, crop, flip, template);
        ImageSet.Part part = ImageSet.Part.parse(classes);
        if (testLimit < 1) {
            throw new LoricaException.BadInput("--test-limit is " + testLimit + ", but must be at least 1");
        }
        SequencedMap<String, AdapterConfig> adapters = new LinkedHashMap<>();
        methods.forEach(method -> adapters.put(method, adapter(method)));
        List<FewShotReport> reports = new ArrayList<>();
        try (Pretrained pretrained = Session.pretrained(model, null, DType.F32, console)) {
            ImageTextModel clip = clip(pretrained);
            adapters.values()
                    .forEach(adapter ->
                            adapter.plan(SiteShape.of(clip), clip.config().modelType()));
            ImageProcessor processor = ImageProcessor.read(pretrained.path());
            for (Path path : images) {
                ImageSet chosen = ImageSets.read(path).only(part).testLimited(testLimit);
                FewShot fewShot = new FewShot(clip, pretrained.tokenizer(), processor, chosen, config);
                reports.add(measure(fewShot, chosen, adapters));
            }
        }
        write(reports);
        return 0;
    }

    private AdapterConfig adapter(String method) {
        List<String> parts = Arrays.asList(method.split(","));
        List<String> assignments = new ArrayList<>(set);
        assignments.addAll(parts.subList(1, parts.size()));
        return AdapterConfig.of(parts.getFirst(), Settings.read(null, assignments));
    }

    private ImageTextModel clip(Pretrained pretrained) {
        if (pretrained.model() instanceof ImageTextModel clip) {
            return clip;
        }
        throw new LoricaException.Incompatible(pretrained.reference() + " is a "
                + pretrained.model().config().modelType() + " model; few-shot learning needs a CLIP, for example one"
                + " made by lorica pretrain-clip");
    }

    private FewShotReport measure(FewShot fewShot, ImageSet chosen, Map<String, AdapterConfig> adapters) {
        List<FewShotRow> rows = new ArrayList<>(List.of(fewShot.zeroShot()));
        int total = adapters.size() * shots.size();
        try (Progress progress = new Progress(console, chosen.name(), total, "rows", 1)) {
            adapters.forEach((label, adapter) -> fewShot.run(label, adapter, row -> {
                rows.add(row);
                progress.at(
                        rows.size() - 1,
                        "%s %d shots %.3f"
                                .formatted(label, row.shots(), row.accuracy().value()));
            }));
        }
        return new FewShotReport(
                chosen.name(), chosen.classes().size(), chosen.test().size(), rows);
    }

    private void write(List<FewShotReport> reports) {
        ArrayNode document = JsonNodeFactory.instance.arrayNode();
        reports.forEach(report -> document.add(report.json()));
        if (out != null) {
            Path directory = out;
            String tables = reports.stream()
                    .map(report -> report.table().markdown())
                    .collect(Collectors.joining("\n\n", "", "\n"));
            AtomicFile.writeString(directory.resolve("fewshot.md"), tables);
            AtomicFile.writeString(directory.resolve("fewshot.json"), document.toPrettyString() + "\n");
            reports.forEach(report -> report.plot(directory.resolve(report.set() + ".png")));
        }
        if (json) {
            console.json(document);
        } else {
            reports.forEach(report -> console.print(report.table().text() + "\n"));
        }
    }
}
