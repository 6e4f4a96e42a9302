package io.lorica.cli;

import io.lorica.model.ModelStore;
import io.lorica.tensor.DType;
import java.nio.file.Path;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code lorica models export}: any model as a Hugging Face directory, for use by other programs. */
@Command(
        name = "export",
        header = "Write a model as a Hugging Face directory, so that other programs run on the same weights.",
        footer = {"", "Example: lorica models export smollm2-135m-instruct --out smollm2 --dtype bfloat16"})
final class ModelsExportCommand implements Callable<Integer> {

    @Parameters(paramLabel = "REF", description = "Catalogue name, directory, GGUF file or hub id.")
    @SuppressWarnings("NullAway.Init")
    String reference;

    @Option(names = "--out", required = true, paramLabel = "DIR", description = "New or empty directory.")
    @SuppressWarnings("NullAway.Init")
    Path out;

    @Option(
            names = "--dtype",
            defaultValue = "float32",
            description = "float32, bfloat16 or float16 (default: ${DEFAULT-VALUE}).")
    @SuppressWarnings("NullAway.Init")
    String dtype;

    private final Console console;

    ModelsExportCommand(Console console) {
        this.console = console;
    }

    @Override
    public Integer call() {
        DType type = DType.parse(dtype);
        try (FetchProgress progress = new FetchProgress(console)) {
            ModelStore.standard(progress).export(reference, out, type);
        }
        console.print(out.toString());
        return 0;
    }
}
