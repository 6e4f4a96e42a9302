package io.lorica.cli;

import com.fasterxml.jackson.databind.ObjectMapper;
import io.lorica.adapter.AdapterReport;
import io.lorica.adapter.LoadOptions;
import io.lorica.model.Pretrained;
import io.lorica.tensor.DType;
import java.nio.file.Path;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code lorica adapter verify}: whether an adapter does on this base what it did when its training ended. */
@Command(
        name = "verify",
        header = "Whether an adapter does on this base what it did when its training ended.",
        description = "Checks the base's fingerprint, that every tensor finds its place, that the adapter changes the"
                + " logits at all, and replays the self-test stored beside it. Exit code 1 where a check fails.",
        footer = {"", "Example: lorica adapter verify my-adapter --model smollm2-135m-instruct"})
final class AdapterVerifyCommand implements Callable<Integer> {
    private static final ObjectMapper JSON = new ObjectMapper();

    @Parameters(paramLabel = "DIR", description = "The adapter.")
    @SuppressWarnings("NullAway.Init")
    Path directory;

    @Option(names = "--model", required = true, paramLabel = "REF", description = "The base it was trained on.")
    @SuppressWarnings("NullAway.Init")
    String model;

    @Option(
            names = "--dtype",
            defaultValue = "float32",
            description = "What the base computes in (default: ${DEFAULT-VALUE}).")
    @SuppressWarnings("NullAway.Init")
    String dtype;

    @Option(names = "--json", description = "One JSON object.")
    boolean json;

    private final Console console;

    AdapterVerifyCommand(Console console) {
        this.console = console;
    }

    @Override
    public Integer call() {
        DType type = DType.parse(dtype);
        AdapterReport report;
        try (Pretrained base = Session.pretrained(model, directory, type, console)) {
            report = AdapterReport.verify(directory, base.model(), LoadOptions.STRICT.withPartial());
        }
        if (json) {
            console.json(JSON.valueToTree(report.summary()));
        } else {
            report.summary().forEach((key, value) -> console.print("%-18s %s".formatted(key, value)));
        }
        report.faults().forEach(fault -> console.note("lorica: " + directory + ": " + fault));
        return report.trusted() ? 0 : 1;
    }
}
