package io.lorica.cli;

import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import io.lorica.model.Generation;
import io.lorica.model.Sampling;
import io.lorica.model.TextGenerator;
import io.lorica.model.VisionLanguageModel;
import io.lorica.model.image.ImageProcessor;
import io.lorica.model.image.Picture;
import io.lorica.tensor.LoricaException;
import io.lorica.tensor.Scope;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.Callable;
import java.util.function.Consumer;
import org.bytedeco.pytorch.Tensor;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** {@code lorica generate}: continues a prompt, as a turn of a conversation where the model has a chat template. */
@Command(
        name = "generate",
        header = "Answer a prompt.",
        description =
                "The prompt is a user's turn where the model has a chat template, else (or with --raw) a text to go on"
                        + " with.",
        footer = {"", "Example: lorica generate --model smollm2-135m-instruct --prompt \"Name three colours.\""})
final class GenerateCommand implements Callable<Integer> {

    @Mixin
    @SuppressWarnings("NullAway.Init")
    BaseOptions base;

    @Option(names = "--prompt", required = true, paramLabel = "TEXT", description = "What to answer.")
    @SuppressWarnings("NullAway.Init")
    String prompt;

    @Option(names = "--system", paramLabel = "TEXT", defaultValue = "", description = "A system turn before it.")
    @SuppressWarnings("NullAway.Init")
    String system;

    @Option(names = "--raw", description = "No chat template: go on with the text itself.")
    boolean raw;

    @Option(
            names = "--image",
            paramLabel = "FILE",
            description = "A picture for each <image> of the prompt, in order (a model that sees images).")
    List<Path> images = List.of();

    @Mixin
    @SuppressWarnings("NullAway.Init")
    SamplingOptions sampling;

    @Option(names = "--json", description = "One JSON object when the answer is complete.")
    boolean json;

    private final Console console;

    GenerateCommand(Console console) {
        this.console = console;
    }

    @Override
    public Integer call() {
        Sampling how = sampling.toSampling();
        try (Session session = Session.open(base, "bfloat16", console)) {
            long[] tokens = raw ? session.tokenizer().encode(prompt, true) : session.prompt(system, prompt);
            Generation answer = answer(session, tokens, how, json ? _ -> {} : this::show);
            if (json) {
                print(answer);
            } else {
                console.print("");
                console.note("[%d tokens, %.1f tokens/s, %s]"
                        .formatted(answer.tokens().length, answer.tokensPerSecond(), reason(answer)));
            }
        }
        return 0;
    }

    private Generation answer(Session session, long[] tokens, Sampling how, Consumer<String> onText) {
        if (images.isEmpty()) {
            return TextGenerator.generate(session.causal(), session.tokenizer(), tokens, how, onText);
        }
        if (!(session.model() instanceof VisionLanguageModel seeing)) {
            throw new LoricaException.Incompatible(base.base.model + " is a "
                    + session.model().config().modelType()
                    + " model, which sees no images; leave --image out, or name a llava model");
        }
        try (Scope _ = Scope.open()) {
            List<Picture> pictures = images.stream().map(Picture::read).toList();
            Tensor pixels = ImageProcessor.read(session.pretrained().path()).pixels(pictures);
            return TextGenerator.generate(seeing, session.tokenizer(), tokens, pixels, how, onText);
        }
    }

    private void show(String text) {
        console.out().print(text);
        console.out().flush();
    }

    private void print(Generation answer) {
        var document = JsonNodeFactory.instance.objectNode();
        document.put("text", answer.text());
        var ids = document.putArray("tokens");
        for (long id : answer.tokens()) {
            ids.add(id);
        }
        document.put("finish_reason", reason(answer));
        document.put("prompt_tokens", answer.promptTokens());
        document.put("seconds", answer.seconds());
        console.json(document);
    }

    private static String reason(Generation answer) {
        return answer.finishReason().name().toLowerCase(Locale.ROOT);
    }
}
