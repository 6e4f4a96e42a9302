package io.lorica.cli;

import io.lorica.adapter.Adapter;
import io.lorica.adapter.AdapterConfig;
import io.lorica.adapter.LoadOptions;
import io.lorica.model.Pretrained;
import io.lorica.tensor.AtomicFile;
import io.lorica.tensor.DType;
import io.lorica.train.analyze.ExpertReport;
import java.nio.file.Path;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code lorica analyze experts}: how much the experts of a routed adapter repeat one another. */
@Command(
        name = "experts",
        header = "Tell how much the experts of a routed adapter (mola, mixlora) repeat one another, layer by layer.",
        description =
                "The mean distance between the experts' updates, and the same over their norm: 0 where all experts are"
                        + " the same, 1.41 where they have nothing in common.",
        footer = {"", "Example: lorica analyze experts runs/first --model lorica-tiny --out experts"})
final class AnalyzeExpertsCommand implements Callable<Integer> {

    @Parameters(paramLabel = "DIR", description = "The adapter.")
    @SuppressWarnings("NullAway.Init")
    Path directory;

    @Option(names = "--model", required = true, paramLabel = "REF", description = "The base it was trained on.")
    @SuppressWarnings("NullAway.Init")
    String model;

    @Option(
            names = "--out",
            paramLabel = "OUT",
            description = "Also write experts.md, experts.json and experts.png there.")
    @Nullable
    Path out;

    @Option(names = "--json", description = "One JSON object.")
    boolean json;

    private final Console console;

    AnalyzeExpertsCommand(Console console) {
        this.console = console;
    }

    @Override
    public Integer call() {
        AdapterConfig.read(directory); // a broken adapter is known before the base is fetched and loaded
        try (Pretrained base = Session.pretrained(model, directory, DType.F32, console);
                Adapter adapter = Adapter.load(base.model(), directory, LoadOptions.STRICT)) {
            ExpertReport report = ExpertReport.of(adapter);
            if (out != null) {
                AtomicFile.writeString(out.resolve("experts.md"), report.table().markdown() + "\n");
                AtomicFile.writeString(
                        out.resolve("experts.json"), report.json().toPrettyString() + "\n");
                report.plot(out.resolve("experts.png"));
            }
            if (json) {
                console.json(report.json());
            } else {
                console.print(report.table().text());
            }
        }
        return 0;
    }
}
