package io.lorica.cli;

import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.lorica.adapter.MergeCertificate;
import io.lorica.adapter.MergeOptions;
import io.lorica.model.ModelExport;
import io.lorica.model.WeightFormat;
import io.lorica.tensor.DType;
import java.nio.file.Path;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code lorica adapter merge}: a whole model with the adapter in its weights, and what that did to the numbers. */
@Command(
        name = "merge",
        header = "Write base and adapter as one model, with a certificate of what rounding changed.",
        description = "The base's and the adapter's files stay as they are. Refuses, and writes nothing, where rounding"
                + " changes the logits by more than the tolerance.",
        footer = {
            "",
            "Example: lorica adapter merge my-adapter --model smollm2-135m-instruct --out merged --dtype bfloat16"
        })
final class AdapterMergeCommand implements Callable<Integer> {

    @Parameters(paramLabel = "DIR", description = "The adapter.")
    @SuppressWarnings("NullAway.Init")
    Path directory;

    @Option(names = "--model", required = true, paramLabel = "REF", description = "The base it was trained on.")
    @SuppressWarnings("NullAway.Init")
    String model;

    @Option(names = "--out", required = true, paramLabel = "OUT", description = "New or empty directory.")
    @SuppressWarnings("NullAway.Init")
    Path out;

    @Option(
            names = "--dtype",
            defaultValue = "float32",
            description = "float32, bfloat16 or float16 (default: ${DEFAULT-VALUE}).")
    @SuppressWarnings("NullAway.Init")
    String dtype;

    @Option(
            names = "--weights",
            paramLabel = "FORMAT",
            defaultValue = "dense",
            description = "How the base was held in training (--weights of lorica train): the adapter is merged into"
                    + " what that stands for (default: ${DEFAULT-VALUE}).")
    @SuppressWarnings("NullAway.Init")
    String weights;

    @Option(
            names = "--tolerance",
            paramLabel = "X",
            description = "Largest change of a logit, as a fraction of the largest logit (default: by --dtype).")
    @Nullable
    Double tolerance;

    @Option(names = "--json", description = "The certificate as one JSON object.")
    boolean json;

    private final Console console;

    AdapterMergeCommand(Console console) {
        this.console = console;
    }

    @Override
    public Integer call() {
        DType type = DType.parse(dtype);
        MergeOptions options = MergeOptions.of(type);
        // The base computes in float32, so that only the merged weights' own rounding is measured.
        try (Session session = Session.open(model, directory, DType.F32, WeightFormat.parse(weights), console)) {
            MergeCertificate certificate =
                    session.merge(tolerance == null ? options : options.withTolerance(tolerance));
            ModelExport.toDirectory(session.pretrained(), out, type);
            if (json) {
                console.json(document(certificate));
            } else {
                console.print(certificate.toString());
                console.print(out.toString());
            }
        }
        return 0;
    }

    private ObjectNode document(MergeCertificate certificate) {
        ObjectNode document = JsonNodeFactory.instance.objectNode();
        document.put("out", out.toString());
        document.put("dtype", certificate.dtype().name());
        document.put("logit_change", certificate.logitChange());
        document.put("adapter_effect", certificate.adapterEffect());
        document.put("largest_logit", certificate.largestLogit());
        document.put("tolerance", certificate.tolerance());
        document.put("base_weights", certificate.baseFormat().toString());
        document.put("base_rounding", certificate.baseError());
        var sites = document.putArray("sites");
        certificate
                .sites()
                .forEach(site -> sites.addObject()
                        .put("site", site.site())
                        .put("max", site.max())
                        .put("relative", site.relative()));
        return document;
    }
}
