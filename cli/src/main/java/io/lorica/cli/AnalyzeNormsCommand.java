package io.lorica.cli;

import io.lorica.model.Transformer;
import io.lorica.tensor.AtomicFile;
import io.lorica.tensor.LoricaException;
import io.lorica.train.analyze.HeadNorms;
import io.lorica.train.analyze.NormCheck;
import io.lorica.train.analyze.NormReport;
import io.lorica.train.data.Example;
import io.lorica.train.data.ExampleReader;
import io.lorica.train.data.ReadOptions;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** {@code lorica analyze norms}: whether a model's norms on some data allow LoRA gradients in almost linear time. */
@Command(
        name = "norms",
        header = "Tell whether a model's norms on some data allow almost linear-time LoRA gradients.",
        description =
                "For every attention head the largest entries of its queries, keys and values, with and without the"
                        + " adapter, against sqrt(ln L). See docs/methods/computational-limits.md.",
        footer = {
            "",
            "Example: lorica analyze norms --model lorica-tiny --adapter runs/first --data rows.jsonl --out norms"
        })
final class AnalyzeNormsCommand implements Callable<Integer> {

    @Mixin
    @SuppressWarnings("NullAway.Init")
    BaseOptions base;

    @Option(names = "--data", required = true, paramLabel = "FILE", description = "JSONL, CSV or Parquet rows.")
    @SuppressWarnings("NullAway.Init")
    Path data;

    @Option(
            names = "--limit",
            paramLabel = "N",
            defaultValue = "16",
            description = "Only the first N sequences (default: ${DEFAULT-VALUE}).")
    int limit;

    @Option(
            names = "--max-length",
            paramLabel = "N",
            defaultValue = "512",
            description = "Longest sequence; text is cut (default: ${DEFAULT-VALUE}).")
    int maxLength;

    @Option(
            names = "--eps",
            defaultValue = "1e-3",
            description = "Relative error that the approximation of exp may have (default: ${DEFAULT-VALUE}).")
    double eps;

    @Option(names = "--out", paramLabel = "DIR", description = "Also write norms.md, norms.json and norms.png there.")
    @Nullable
    Path out;

    @Option(names = "--json", description = "One JSON object.")
    boolean json;

    private final Console console;

    AnalyzeNormsCommand(Console console) {
        this.console = console;
    }

    @Override
    public Integer call() {
        if (limit < 1) {
            throw new LoricaException.BadInput("--limit is " + limit + ", but must be at least 1");
        }
        if (!(eps > 0 && eps < 1)) {
            throw new LoricaException.BadInput("--eps is " + eps + ", but must lie between 0 and 1");
        }
        if (!Files.isRegularFile(data)) {
            throw new LoricaException.NotFound("the data file " + data + " does not exist");
        }
        try (Session session = Session.open(base, "float32", console)) {
            report(measure(session));
        }
        return 0;
    }

    private NormReport measure(Session session) {
        if (!(session.model() instanceof Transformer model)) {
            throw new LoricaException.Unsupported(base.base.model + " is a "
                    + session.model().config().modelType()
                    + " model, whose attention is not measured; use a Llama, GPT-2 or BERT model");
        }
        List<Example> examples = new ExampleReader(
                        session.tokenizer(), ReadOptions.ofLength(Math.min(maxLength, model.contextLength())))
                .read(data)
                .examples();
        List<Example> chosen = examples.stream()
                .filter(example -> example.length() >= 2)
                .limit(limit)
                .toList();
        if (chosen.isEmpty()) {
            throw new LoricaException.BadInput(data + " has no sequence of at least 2 tokens; give longer texts");
        }
        List<List<HeadNorms>> adapted = pass(model, chosen);
        List<List<HeadNorms>> bare = null;
        if (base.adapter != null) {
            session.disableAdapter();
            bare = pass(model, chosen);
        }
        return NormReport.of(adapted, bare, eps);
    }

    private List<List<HeadNorms>> pass(Transformer model, List<Example> examples) {
        try (Progress progress = new Progress(console, "norms", examples.size(), "sequences", 1)) {
            return NormCheck.of(model, examples, done -> progress.at(done, ""));
        }
    }

    private void report(NormReport report) {
        if (out != null) {
            AtomicFile.writeString(
                    out.resolve("norms.md"), report.table().markdown() + "\n\n" + report.verdict() + "\n");
            AtomicFile.writeString(out.resolve("norms.json"), report.json().toPrettyString() + "\n");
            report.plot(out.resolve("norms.png"), "norms of " + base.base.model);
        }
        if (json) {
            console.json(report.json());
        } else {
            console.print(report.table().text());
            console.print("");
            console.print(report.verdict());
        }
    }
}
