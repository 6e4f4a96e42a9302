package io.lorica.cli;

import io.lorica.adapter.Adapter;
import io.lorica.adapter.AdapterConfig;
import io.lorica.adapter.LoadOptions;
import io.lorica.adapter.NestedRanks;
import io.lorica.adapter.Provenance;
import io.lorica.adapter.Scales;
import io.lorica.model.Pretrained;
import io.lorica.tensor.DType;
import io.lorica.tensor.LoricaException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code lorica adapter truncate}: an adapter that works at several ranks or scales, saved at one of them. */
@Command(
        name = "truncate",
        header = "Save an adapter that works at several ranks (dylora) or scales (mtsk) for one of them.",
        description = "Nothing is trained again, and the given adapter stays as it is.",
        footer = {"", "Example: lorica adapter truncate my-adapter --model smollm2-135m-instruct --rank 2 --out small"})
final class AdapterTruncateCommand implements Callable<Integer> {

    @Parameters(paramLabel = "DIR", description = "The adapter.")
    @SuppressWarnings("NullAway.Init")
    Path directory;

    @Option(names = "--model", required = true, paramLabel = "REF", description = "The base it was trained on.")
    @SuppressWarnings("NullAway.Init")
    String model;

    @Option(names = "--rank", paramLabel = "R", description = "dylora: the first components, so many, are kept.")
    @Nullable
    Integer rank;

    @Mixin
    @SuppressWarnings("NullAway.Init")
    RateOptions rates;

    @Option(names = "--out", required = true, paramLabel = "OUT", description = "New directory.")
    @SuppressWarnings("NullAway.Init")
    Path out;

    private final Console console;

    AdapterTruncateCommand(Console console) {
        this.console = console;
    }

    @Override
    public Integer call() {
        if ((rank == null) != rates.given()) {
            throw new LoricaException.BadInput("say what to keep: either --rank, or --audio-rate and --video-rate");
        }
        AdapterConfig.read(directory); // a broken adapter is known before the base is fetched and loaded
        if (Files.exists(out)) {
            throw new LoricaException.BadInput(out + " is there already; choose another --out");
        }
        try (Pretrained base = Session.pretrained(model, directory, DType.F32, console);
                Adapter adapter = Adapter.load(base.model(), directory, LoadOptions.STRICT)) {
            choose(adapter);
            adapter.save(out);
            Provenance.read(directory).ifPresent(provenance -> provenance.write(out));
        }
        console.print(out.toString());
        return 0;
    }

    private void choose(Adapter adapter) {
        String method = adapter.config().method().info().name();
        if (rank != null) {
            NestedRanks ranks = adapter.ranks()
                    .orElseThrow(() -> new LoricaException.Unsupported(directory + " was trained with method '" + method
                            + "', whose components only work together; train with --method dylora to choose later"));
            ranks.use(rank);
        } else {
            Scales scales = adapter.scales()
                    .orElseThrow(() -> new LoricaException.Unsupported(directory + " was trained with method '" + method
                            + "', which knows no rates of compression; train with --method mtsk to choose later"));
            scales.use(rates.rates());
        }
    }
}
