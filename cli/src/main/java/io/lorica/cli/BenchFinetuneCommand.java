package io.lorica.cli;

import com.fasterxml.jackson.databind.ObjectMapper;
import io.lorica.bench.FinetuneBench;
import io.lorica.bench.FinetuneJob;
import io.lorica.model.ModelStore;
import io.lorica.tensor.DType;
import io.lorica.tensor.LoricaException;
import io.lorica.train.report.Table;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Locale;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** {@code lorica bench finetune}: LoRA fine-tuning, beside PEFT. */
@Command(
        name = "finetune",
        header = "Fine-tune with LoRA on Lorica and on a peer, alternating, and compare.",
        description =
                "Both sides train on the same tokens, masks, order and first adapter values, each run in a process"
                        + " of its own. The peer needs a Python with bench/peers/requirements.txt installed.",
        footer = {
            "",
            "Example: lorica bench finetune --peer peft --python .venv/bin/python --data gsm8k/train.jsonl --rounds 3"
        })
final class BenchFinetuneCommand implements Callable<Integer> {

    @Option(names = "--peer", defaultValue = "peft", description = "The other software: peft.")
    @SuppressWarnings("NullAway.Init")
    String peer;

    @Option(names = "--data", required = true, paramLabel = "FILE", description = "Rows to train on, in their order.")
    @SuppressWarnings("NullAway.Init")
    Path data;

    @Option(names = "--dtype", defaultValue = "bfloat16", description = "Of the base (default: bfloat16).")
    @SuppressWarnings("NullAway.Init")
    String dtype;

    @Option(names = "--steps", defaultValue = "6", description = "Optimizer steps; the first two are not timed.")
    int steps;

    @Option(names = "--batch", defaultValue = "8", description = "Examples of a step.")
    int batch;

    @Option(names = "--rank", defaultValue = "16", description = "Rank on all linear layers.")
    int rank;

    @Option(names = "--rounds", defaultValue = "3", description = "Runs of each side; medians are printed.")
    int rounds;

    @Mixin
    @SuppressWarnings("NullAway.Init")
    BenchOptions options;

    private final Console console;

    BenchFinetuneCommand(Console console) {
        this.console = console;
    }

    @Override
    public Integer call() throws IOException {
        if (!peer.equals("peft")) {
            throw new LoricaException.BadInput("unknown peer '" + peer + "' (known: peft)");
        }
        DType type = DType.parse(dtype);
        FinetuneBench.Result result =
                options.onExported(ModelStore.standard(new FetchProgress(console)), type, model -> run(model, type));
        if (options.json) {
            console.json(new ObjectMapper().valueToTree(result));
        } else {
            console.print(table(result));
            console.print(String.format(
                    Locale.ROOT,
                    "largest difference of the loss curves over %d steps: %.2f %%",
                    result.loricaLosses().length,
                    100 * result.lossDifference()));
        }
        return 0;
    }

    private FinetuneBench.Result run(Path model, DType type) {
        FinetuneJob job = FinetuneJob.of(model, data, steps, batch, rank, type == DType.F32 ? "float32" : "bfloat16");
        return FinetuneBench.run(
                new FinetuneBench.Setup(model, job, rounds, options.peer("finetune_peft.py")), console.err());
    }

    private static String table(FinetuneBench.Result result) {
        FinetuneBench.Side own = result.lorica();
        FinetuneBench.Side other = result.peer();
        return new Table("measure", "lorica", "peft", "ratio")
                .row(row("tokens/s, all", "%.0f", own.tokensPerSecond(), other.tokensPerSecond(), true))
                .row(row(
                        "tokens/s, supervised",
                        "%.0f",
                        own.supervisedTokensPerSecond(),
                        other.supervisedTokensPerSecond(),
                        true))
                .row(row("examples/s", "%.2f", own.examplesPerSecond(), other.examplesPerSecond(), true))
                .row(row("peak memory, MiB", "%.0f", mib(own.peakBytes()), mib(other.peakBytes()), false))
                .row(row("first step after, s", "%.1f", own.firstStepSeconds(), other.firstStepSeconds(), false))
                .text();
    }

    private static double mib(double bytes) {
        return bytes / (1 << 20);
    }

    private static Object[] row(String name, String format, double own, double other, boolean higherIsBetter) {
        double ratio = higherIsBetter ? own / other : other / own;
        return new Object[] {
            name,
            String.format(Locale.ROOT, format, own),
            String.format(Locale.ROOT, format, other),
            String.format(Locale.ROOT, "%.2fx", ratio)
        };
    }
}
