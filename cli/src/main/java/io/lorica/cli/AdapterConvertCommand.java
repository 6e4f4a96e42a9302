package io.lorica.cli;

import io.lorica.adapter.Adapter;
import io.lorica.adapter.AdapterConfig;
import io.lorica.adapter.GgufAdapter;
import io.lorica.adapter.LoadOptions;
import io.lorica.adapter.LoralibFile;
import io.lorica.model.Pretrained;
import io.lorica.tensor.DType;
import io.lorica.tensor.LoricaException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code lorica adapter convert}: an adapter of another layout as PEFT's directory, or one of PEFT's as a GGUF file. */
@Command(
        name = "convert",
        header = "Write loralib's layout (X.lora_A, X.lora_B) as PEFT's directory, or PEFT's as a GGUF file.",
        description = {
            "To peft: loralib's layout does not say the scaling, so --alpha is needed. Load the result with"
                    + " --allow-partial where the file holds only a part of a score head.",
            "To gguf: for llama.cpp's --lora on the same base; any method that adds low-rank products, whose --model is"
                    + " needed for the names and the order of rows."
        },
        footer = {
            "",
            "Example: lorica adapter convert lora.safetensors --alpha 16 --model roberta-base --out mnli",
            "Example: lorica adapter convert my-adapter --to gguf --model smollm2-135m --out my-adapter.gguf"
        })
final class AdapterConvertCommand implements Callable<Integer> {

    /** What can be written. */
    enum Target {
        PEFT,
        GGUF
    }

    @Parameters(paramLabel = "FROM", description = "loralib's safetensors file, or an adapter's directory.")
    @SuppressWarnings("NullAway.Init")
    Path from;

    @Option(names = "--to", paramLabel = "LAYOUT", defaultValue = "peft", description = "peft (default) or gguf.")
    @SuppressWarnings("NullAway.Init")
    Target to;

    @Option(names = "--alpha", paramLabel = "X", description = "To peft: lora_alpha of its training.")
    @Nullable
    Double alpha;

    @Option(
            names = "--model",
            paramLabel = "REF",
            description = "To peft: name of the base, for adapter_config.json. To gguf: the base.")
    @Nullable
    String model;

    @Option(names = "--dtype", paramLabel = "TYPE", description = "To gguf: float32 (default), bfloat16 or float16.")
    @Nullable
    String dtype;

    @Option(names = "--out", required = true, paramLabel = "OUT", description = "New directory, or new GGUF file.")
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
        switch (to) {
            case PEFT -> toPeft();
            case GGUF -> toGguf();
        }
        console.print(out.toString());
        return 0;
    }

    private void toPeft() {
        if (alpha == null) {
            throw new LoricaException.BadInput(
                    "--alpha is missing, and loralib's files do not say the scaling; give the lora_alpha of the training");
        }
        if (dtype != null) {
            throw new LoricaException.BadInput(
                    "--dtype " + dtype + " is for --to gguf; loralib's numbers stay as they are");
        }
        LoralibFile.Conversion done = LoralibFile.convert(from, alpha, model, out);
        console.note("%d sites of rank %d, %d tensors of saved modules"
                .formatted(done.sites(), done.rank(), done.saved().size()));
    }

    private void toGguf() {
        if (alpha != null) {
            throw new LoricaException.BadInput(
                    "--alpha " + alpha + " is for loralib's files; this adapter's configuration says its scaling");
        }
        if (model == null) {
            throw new LoricaException.BadInput("--model is missing; --to gguf needs the base that the adapter is for");
        }
        DType type = DType.parse(dtype == null ? "float32" : dtype);
        AdapterConfig.read(from); // a broken adapter is known before the base is fetched and loaded
        try (Pretrained base = Session.pretrained(model, from, DType.F32, console);
                Adapter adapter = Adapter.load(base.model(), from, LoadOptions.STRICT)) {
            console.note("%d sites".formatted(GgufAdapter.write(adapter, out, type)));
        }
    }
}
