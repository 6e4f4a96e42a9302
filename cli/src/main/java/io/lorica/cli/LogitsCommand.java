package io.lorica.cli;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.lorica.model.Batch;
import io.lorica.model.CausalModel;
import io.lorica.model.Pass;
import io.lorica.tensor.Grad;
import io.lorica.tensor.Scope;
import io.lorica.tensor.Tensors;
import java.util.List;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** {@code lorica logits}: the last position's logits, to compare with other software. */
@Command(
        name = "logits",
        header = "Logits of the last position of a text, to compare with other software.",
        description =
                "Prints {\"tokens\":[ids],\"logits\":[floats]}. The text is encoded with the special tokens that the"
                        + " tokenizer itself adds, and with no chat template.",
        footer = {"", "Example: lorica logits --model smollm2-135m-instruct --text \"The sky is\" --json"})
final class LogitsCommand implements Callable<Integer> {

    @Mixin
    @SuppressWarnings("NullAway.Init")
    BaseOptions base;

    @Option(names = "--text", required = true, description = "The text.")
    @SuppressWarnings("NullAway.Init")
    String text;

    @Option(names = "--json", description = "JSON is the only form there is; taken so that the intent is plain.")
    boolean json;

    private final Console console;

    LogitsCommand(Console console) {
        this.console = console;
    }

    @Override
    public Integer call() {
        try (Session session = Session.open(base, "float32", console)) {
            long[] tokens = session.tokenizer().encode(text, true);
            console.json(document(tokens, logits(session.causal(), tokens)));
        }
        return 0;
    }

    private static float[] logits(CausalModel model, long[] tokens) {
        try (Scope _ = Scope.open();
                Grad _ = Grad.disabled()) {
            return Tensors.floats(model.nextLogits(Batch.of(List.of(tokens)), Pass.inference()));
        }
    }

    private static ObjectNode document(long[] tokens, float[] logits) {
        ObjectNode json = JsonNodeFactory.instance.objectNode();
        ArrayNode ids = json.putArray("tokens");
        for (long token : tokens) {
            ids.add(token);
        }
        ArrayNode values = json.putArray("logits");
        for (float logit : logits) {
            values.add(logit);
        }
        return json;
    }
}
