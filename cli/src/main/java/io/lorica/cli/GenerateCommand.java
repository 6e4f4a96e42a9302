package io.lorica.cli;

import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import io.lorica.model.Generation;
import io.lorica.model.Rates;
import io.lorica.model.Sampling;
import io.lorica.model.TextGenerator;
import io.lorica.train.data.Attached;
import io.lorica.train.data.Media;
import io.lorica.train.data.Senses;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.function.Consumer;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
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

    @Option(names = "--audio", paramLabel = "FILE", description = "A sound to hear (WAV; a model of speech).")
    @Nullable
    Path audio;

    @Option(
            names = "--video",
            paramLabel = "FILE",
            description = "A film to see (TIFF pages or a folder of pictures; a model of speech).")
    @Nullable
    Path video;

    @Mixin
    @SuppressWarnings("NullAway.Init")
    RateOptions rates;

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
        List<Rates> scales = rates.scales(session.pretrained(), session.scales());
        Senses senses = scales.isEmpty() ? Senses.of(session.pretrained()) : session.sensesAt(scales.getFirst());
        Senses.Prompt whole = senses.prompt(
                Attached.of(Map.of("image", images, "audio", files(audio), "video", files(video))), tokens);
        return TextGenerator.generate(
                session.causal(),
                session.tokenizer(),
                whole.tokens(),
                batch -> Media.add(batch, Stream.ofNullable(whole.media())),
                how,
                onText);
    }

    private static List<Path> files(@Nullable Path file) {
        return file == null ? List.of() : List.of(file);
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
