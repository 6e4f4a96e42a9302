package io.lorica.cli;

import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.lorica.adapter.Adapter;
import io.lorica.adapter.AdapterConfig;
import io.lorica.adapter.Coverage;
import io.lorica.adapter.LoadOptions;
import io.lorica.model.Pretrained;
import io.lorica.tensor.DType;
import io.lorica.tensor.SafetensorsFile;
import io.lorica.tensor.TensorSource;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.SortedSet;
import java.util.TreeSet;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code lorica adapter inspect}: what an adapter's files say, and, given a base, how much of it finds its place. */
@Command(
        name = "inspect",
        header = "What an adapter is: method, settings, tensors, bytes; with --model how much of it fits.",
        footer = {"", "Example: lorica adapter inspect my-adapter --model smollm2-135m-instruct"})
final class AdapterInspectCommand implements Callable<Integer> {
    private static final String WEIGHTS = "adapter_model.safetensors";

    @Parameters(paramLabel = "DIR", description = "Directory with adapter_config.json and " + WEIGHTS + ".")
    @SuppressWarnings("NullAway.Init")
    Path directory;

    @Option(names = "--model", paramLabel = "REF", description = "Base model to match it with.")
    @Nullable
    String model;

    @Option(names = "--json", description = "One JSON object.")
    boolean json;

    private final Console console;

    AdapterInspectCommand(Console console) {
        this.console = console;
    }

    @Override
    public Integer call() {
        AdapterConfig config = AdapterConfig.read(directory);
        ObjectNode report = report(config);
        if (model != null) {
            report.put("coverage", coverage(model).toString());
        }
        if (json) {
            console.json(report);
        } else {
            report.properties().forEach(entry -> {
                if (!entry.getKey().equals("config")) {
                    console.print("%-14s %s"
                            .formatted(entry.getKey(), entry.getValue().asText()));
                }
            });
            console.print("settings");
            report.get("config").properties().stream()
                    .filter(entry -> !entry.getValue().isNull())
                    .forEach(entry -> console.print("  %-26s %s".formatted(entry.getKey(), entry.getValue())));
        }
        return 0;
    }

    private ObjectNode report(AdapterConfig config) {
        ObjectNode report = JsonNodeFactory.instance.objectNode();
        report.put("method", config.method().info().name());
        report.put("base_model", config.baseModel());
        try (TensorSource tensors = SafetensorsFile.open(directory.resolve(WEIGHTS))) {
            long parameters = 0;
            long bytes = 0;
            SortedSet<String> types = new TreeSet<>();
            for (String name : tensors.names()) {
                TensorSource.TensorInfo info = tensors.info(name);
                parameters += Arrays.stream(info.shape()).reduce(1, Math::multiplyExact);
                bytes += info.bytes();
                types.add(info.dtype());
            }
            report.put("tensors", tensors.names().size());
            report.put("parameters", parameters);
            report.put("bytes", bytes);
            report.put("stored_as", String.join(", ", types));
        }
        report.set("config", config.toJson());
        return report;
    }

    /** A partial match is reported here, not refused: finding out is what this command is for. */
    private Coverage coverage(String reference) {
        try (Pretrained base = Session.pretrained(reference, directory, DType.F32, console);
                Adapter adapter = Adapter.load(
                        base.model(),
                        directory,
                        LoadOptions.STRICT.withPartial().withAnyBase())) {
            Coverage coverage = adapter.coverage().orElseThrow();
            coverage.missing().forEach(key -> console.note("missing in the file: " + key));
            coverage.unexpected().forEach(key -> console.note("without a place in this model: " + key));
            return coverage;
        }
    }
}
