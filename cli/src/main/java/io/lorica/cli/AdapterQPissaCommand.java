package io.lorica.cli;

import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.lorica.adapter.AdapterConfig;
import io.lorica.adapter.Methods;
import io.lorica.adapter.QuantizedSplit;
import io.lorica.model.ModelExport;
import io.lorica.model.Pretrained;
import io.lorica.model.WeightFormat;
import io.lorica.tensor.DType;
import io.lorica.tensor.LoricaException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** {@code lorica adapter qpissa}: a model whose weights are quantized without their principal part, and that part as a LoRA. */
@Command(
        name = "qpissa",
        header = "Split a model into quantized weights and a LoRA that holds their principal part (QPiSSA).",
        description =
                "OUT becomes a model in float32 whose weights are exactly those of the format, and OUT/pissa_init the"
                        + " adapter to start from. Takes a decomposition of every weight for each iteration.",
        footer = {
            "",
            "Example: lorica adapter qpissa --model smollm2-135m-instruct --rank 16 --out qpissa",
            "         lorica train --model qpissa --weights nf4 --adapter qpissa/pissa_init --data rows.jsonl --out run"
        })
final class AdapterQPissaCommand implements Callable<Integer> {

    @Option(names = "--model", required = true, paramLabel = "REF", description = "The base.")
    @SuppressWarnings("NullAway.Init")
    String model;

    @Option(names = "--out", required = true, paramLabel = "OUT", description = "New or empty directory.")
    @SuppressWarnings("NullAway.Init")
    Path out;

    @Option(names = "--rank", defaultValue = "8", description = "Rank of the adapter (default: ${DEFAULT-VALUE}).")
    int rank;

    @Option(names = "--alpha", description = "lora_alpha (default: the rank, so that the scaling is 1).")
    @Nullable
    Integer alpha;

    @Option(names = "--iterations", defaultValue = "5", description = "Rounds T (default: ${DEFAULT-VALUE}).")
    int iterations;

    @Option(
            names = "--weights",
            defaultValue = "nf4",
            description = "nf4, int4, int4-64, int4-128 or int8 (default: ${DEFAULT-VALUE}).")
    @SuppressWarnings("NullAway.Init")
    String weights;

    @Option(
            names = "--target-modules",
            split = ",",
            paramLabel = "NAME",
            description = "Modules to split (default: all-linear).")
    @Nullable
    List<String> targets;

    @Option(names = "--json", description = "The errors as one JSON object.")
    boolean json;

    private final Console console;

    AdapterQPissaCommand(Console console) {
        this.console = console;
    }

    @Override
    public Integer call() {
        WeightFormat format = WeightFormat.parse(weights);
        AdapterConfig config = AdapterConfig.of("lora", settings())
                .withTaskType(AdapterConfig.LANGUAGE)
                .withBaseModel(out.toString());
        if (Files.exists(out)) {
            throw new LoricaException.BadInput(out + " is there already; choose another --out");
        }
        try (Pretrained base = Session.pretrained(model, null, DType.F32, console);
                QuantizedSplit split = split(base, config, format)) {
            ModelExport.toDirectory(base, out, DType.F32);
            split.adapter().save(out.resolve("pissa_init"));
            show(split, format);
        }
        return 0;
    }

    private QuantizedSplit split(Pretrained base, AdapterConfig config, WeightFormat format) {
        try (Progress progress = new Progress(console, "split", 100, "%", 1)) {
            return Methods.named("pissa")
                    .splitQuantized(
                            base.model(), config, format, iterations, done -> progress.at((long) (100 * done), ""));
        }
    }

    private ObjectNode settings() {
        ObjectNode settings = JsonNodeFactory.instance.objectNode();
        settings.put("r", rank);
        settings.put("lora_alpha", alpha == null ? rank : alpha);
        if (targets == null || targets.equals(List.of("all-linear"))) {
            settings.put("target_modules", "all-linear");
        } else {
            targets.forEach(settings.putArray("target_modules")::add);
        }
        return settings;
    }

    private void show(QuantizedSplit split, WeightFormat format) {
        if (json) {
            ObjectNode document = JsonNodeFactory.instance.objectNode();
            document.put("model", out.toString());
            document.put("adapter", out.resolve("pissa_init").toString());
            document.put("reduction", split.reduction());
            var sites = document.putArray("sites");
            split.errors()
                    .forEach(site -> sites.addObject()
                            .put("site", site.site())
                            .put("quantized", site.plain())
                            .put("split", site.split()));
            console.json(document);
            return;
        }
        console.print("%.1f %% less error than %s alone, over %d weights (nuclear norm)"
                .formatted(100 * split.reduction(), format, split.errors().size()));
        console.print("model   " + out + "   (hold it with --weights " + format + ")");
        console.print("adapter " + out.resolve("pissa_init"));
    }
}
