package io.lorica.cli;

import io.lorica.adapter.LoralibFile;
import io.lorica.tensor.LoricaException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code lorica adapter convert}: an adapter of another layout as PEFT's directory. */
@Command(
        name = "convert",
        header = "Write an adapter of loralib's layout (X.lora_A, X.lora_B) as PEFT's directory.",
        description = "The layout does not say the scaling, so --alpha is needed. Load the result with --allow-partial"
                + " where the file holds only a part of a score head.",
        footer = {"", "Example: lorica adapter convert lora.safetensors --alpha 16 --model roberta-base --out mnli"})
final class AdapterConvertCommand implements Callable<Integer> {

    @Parameters(paramLabel = "FILE", description = "A safetensors file.")
    @SuppressWarnings("NullAway.Init")
    Path file;

    @Option(names = "--alpha", required = true, paramLabel = "X", description = "lora_alpha of its training.")
    double alpha;

    @Option(names = "--model", paramLabel = "REF", description = "Name of the base, for adapter_config.json.")
    @Nullable
    String model;

    @Option(names = "--out", required = true, paramLabel = "OUT", description = "New adapter directory.")
    @SuppressWarnings("NullAway.Init")
    Path out;

    private final Console console;

    AdapterConvertCommand(Console console) {
        this.console = console;
    }

    @Override
    public Integer call() {
        if (Files.exists(out)) {
            throw new LoricaException.BadInput(out + " exists already; choose another --out");
        }
        LoralibFile.Conversion done = LoralibFile.convert(file, alpha, model, out);
        console.note("%d sites of rank %d, %d tensors of saved modules"
                .formatted(done.sites(), done.rank(), done.saved().size()));
        console.print(out.toString());
        return 0;
    }
}
