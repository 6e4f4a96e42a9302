package io.lorica.cli;

import io.lorica.adapter.Adapter;
import io.lorica.adapter.AdapterConfig;
import io.lorica.adapter.LoadOptions;
import io.lorica.adapter.NestedRanks;
import io.lorica.adapter.Provenance;
import io.lorica.model.Pretrained;
import io.lorica.tensor.DType;
import io.lorica.tensor.LoricaException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code lorica adapter truncate}: an adapter that works at several ranks, saved at one of them. */
@Command(
        name = "truncate",
        header = "Save an adapter that works at several ranks (dylora) at a smaller one.",
        description = "The first components are kept; nothing is trained again. The given adapter stays as it is.",
        footer = {"", "Example: lorica adapter truncate my-adapter --model smollm2-135m-instruct --rank 2 --out small"})
final class AdapterTruncateCommand implements Callable<Integer> {

    @Parameters(paramLabel = "DIR", description = "The adapter.")
    @SuppressWarnings("NullAway.Init")
    Path directory;

    @Option(names = "--model", required = true, paramLabel = "REF", description = "The base it was trained on.")
    @SuppressWarnings("NullAway.Init")
    String model;

    @Option(names = "--rank", required = true, paramLabel = "R", description = "Components to keep.")
    int rank;

    @Option(names = "--out", required = true, paramLabel = "OUT", description = "New directory.")
    @SuppressWarnings("NullAway.Init")
    Path out;

    private final Console console;

    AdapterTruncateCommand(Console console) {
        this.console = console;
    }

    @Override
    public Integer call() {
        AdapterConfig.read(directory); // a broken adapter is known before the base is fetched and loaded
        if (Files.exists(out)) {
            throw new LoricaException.BadInput(out + " is there already; choose another --out");
        }
        try (Pretrained base = Session.pretrained(model, directory, DType.F32, console);
                Adapter adapter = Adapter.load(base.model(), directory, LoadOptions.STRICT)) {
            NestedRanks ranks = adapter.ranks()
                    .orElseThrow(() -> new LoricaException.Unsupported(directory + " was trained with method '"
                            + adapter.config().method().info().name()
                            + "', whose components only work together; train with --method dylora to choose later"));
            ranks.use(rank);
            adapter.save(out);
            Provenance.read(directory).ifPresent(provenance -> provenance.write(out));
        }
        console.print(out.toString());
        return 0;
    }
}
