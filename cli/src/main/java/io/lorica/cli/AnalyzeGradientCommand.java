package io.lorica.cli;

import io.lorica.tensor.AtomicFile;
import io.lorica.tensor.LoricaException;
import io.lorica.tensor.Names;
import io.lorica.tensor.Seed;
import io.lorica.train.analyze.GradientConfig;
import io.lorica.train.analyze.GradientReport;
import io.lorica.train.analyze.GradientStudy;
import java.nio.file.Path;
import java.util.List;
import java.util.Set;
import java.util.concurrent.Callable;
import org.bytedeco.pytorch.global.torch;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** {@code lorica analyze gradient}: the almost linear-time LoRA gradient beside the exact one. */
@Command(
        name = "gradient",
        header = "Measure the almost linear-time LoRA gradient of attention beside the exact one.",
        description =
                "On random heads: its error by size of entries and degree, the rank that reaches --eps, and time by"
                        + " length. See docs/methods/computational-limits.md.",
        footer = {"", "Example: lorica analyze gradient --lengths 512,1024,2048 --out gradient"})
final class AnalyzeGradientCommand implements Callable<Integer> {

    @Option(
            names = "--width",
            defaultValue = "4",
            description = "Width of the head; the rank grows as its power (default: ${DEFAULT-VALUE}).")
    int width;

    @Option(names = "--beta", paramLabel = "X", description = "Scale of the scores (default: 1 / sqrt(width)).")
    @Nullable
    Double beta;

    @Option(
            names = "--eps",
            defaultValue = "1e-3",
            description = "Relative error of exp, and the error that counts as reached (default: ${DEFAULT-VALUE}).")
    double eps;

    @Option(
            names = "--adapt",
            split = ",",
            defaultValue = "Q,V",
            paramLabel = "OPERAND",
            description = "Which of Q, K, V have adapters (default: ${DEFAULT-VALUE}).")
    @SuppressWarnings("NullAway.Init")
    Set<GradientConfig.Operand> adapt;

    @Option(
            names = "--poly",
            defaultValue = "taylor",
            description = "Polynomial of the timed runs: taylor or chebyshev (default: ${DEFAULT-VALUE}).")
    @SuppressWarnings("NullAway.Init")
    String poly;

    @Option(
            names = "--error-length",
            defaultValue = "1024",
            description = "Tokens at which errors are measured (default: ${DEFAULT-VALUE}).")
    int errorLength;

    @Option(
            names = "--lengths",
            split = ",",
            defaultValue = "512,1024,2048,4096,8192,16384",
            description = "Tokens at which time is measured (default: ${DEFAULT-VALUE}).")
    @SuppressWarnings("NullAway.Init")
    List<Integer> lengths;

    @Option(
            names = "--exact-limit",
            defaultValue = "16384",
            description = "Longest exact run; above it errors are those of 256 queries (default: ${DEFAULT-VALUE}).")
    int exactLimit;

    @Option(
            names = "--max-rank",
            defaultValue = "20000",
            description = "Largest rank that is tried (default: ${DEFAULT-VALUE}).")
    long maxRank;

    @Option(names = "--chunk", defaultValue = "256", description = "Rows of a block (default: ${DEFAULT-VALUE}).")
    int chunk;

    @Option(names = "--seed", defaultValue = "0", description = "Of the random heads (default: ${DEFAULT-VALUE}).")
    long seed;

    @Option(names = "--threads", defaultValue = "1", description = "Threads (default: ${DEFAULT-VALUE}).")
    int threads;

    @Option(
            names = "--out",
            paramLabel = "DIR",
            description = "Also write gradient.md, gradient.json, gradient-error.png and gradient-time.png there.")
    @Nullable
    Path out;

    @Option(names = "--json", description = "One JSON object.")
    boolean json;

    private final Console console;

    AnalyzeGradientCommand(Console console) {
        this.console = console;
    }

    @Override
    public Integer call() {
        GradientConfig config = new GradientConfig(
                width,
                beta != null ? beta : 1 / Math.sqrt(width),
                eps,
                adapt,
                errorLength,
                lengths,
                exactLimit,
                chunk,
                maxRank,
                chebyshev(),
                new Seed(seed));
        torch.set_num_threads(threads);
        GradientReport report = new GradientReport(config, new GradientStudy(config).run(console::note));
        if (out != null) {
            AtomicFile.writeString(out.resolve("gradient.md"), report.markdown());
            AtomicFile.writeString(out.resolve("gradient.json"), report.json().toPrettyString() + "\n");
            report.plotErrors(out.resolve("gradient-error.png"));
            report.plotTimes(out.resolve("gradient-time.png"));
        }
        if (json) {
            console.json(report.json());
        } else {
            console.print(report.errors().text() + "\n");
            console.print(report.ranks().text() + "\n");
            console.print(report.times().text());
        }
        return 0;
    }

    private boolean chebyshev() {
        List<String> known = List.of("taylor", "chebyshev");
        if (!known.contains(poly)) {
            throw new LoricaException.BadInput("--poly '" + poly + "' is unknown" + Names.didYouMean(poly, known)
                    + " (known: " + String.join(", ", known) + ")");
        }
        return poly.equals("chebyshev");
    }
}
