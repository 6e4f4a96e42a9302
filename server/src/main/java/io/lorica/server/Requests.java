package io.lorica.server;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.lorica.adapter.Options;
import io.lorica.model.Sampling;
import io.lorica.model.Tokenizer;
import io.lorica.tensor.LoricaException;
import java.util.ArrayList;
import java.util.List;
import java.util.OptionalInt;

/** Bodies of the two generating APIs as jobs: every key checked before any work is done. */
final class Requests {
    private static final int MOST_LOGPROBS = 20;
    private static final int TEXT_TOKENS = 16; // OpenAI's default of /v1/completions

    private final Prompts prompts;
    private final int context;
    private final ServerOptions limits;

    /** @param context tokens that the model can hold */
    Requests(Tokenizer tokenizer, int context, ServerOptions limits) {
        prompts = new Prompts(tokenizer);
        this.context = context;
        this.limits = limits;
    }

    /** {@code /v1/chat/completions}. */
    Job chat(ObjectNode json) {
        Fields fields = new Fields(json);
        Options options = fields.options();
        String model = fields.model();
        JsonNode messages = fields.required("messages");
        int n = n(options);
        OptionalInt limit = fields.limit();
        Sampling sampling = fields.sampling(limit.orElse(limits.answerTokens()));
        int logprobs = chatLogprobs(options);
        boolean stream = fields.stream();
        boolean usage = fields.streamUsage(stream);
        fields.only("response_format", "text", "an answer in a given form");
        fields.only("function_call", "none", "a call of a tool");
        refuseTools(fields);
        fields.finish();
        long[] prompt = prompts.conversation(messages);
        return checked(
                new Job(model, List.of(prompt), n, sampling, limit.isPresent(), logprobs, List.of(), stream, usage));
    }

    /** {@code /v1/completions}. */
    Job text(ObjectNode json) {
        Fields fields = new Fields(json);
        Options options = fields.options();
        String model = fields.model();
        JsonNode prompt = fields.required("prompt");
        int n = n(options);
        Sampling sampling = fields.sampling(fields.limit().orElse(TEXT_TOKENS));
        int logprobs = options.integer("logprobs", -1, 0, MOST_LOGPROBS);
        boolean stream = fields.stream();
        boolean usage = fields.streamUsage(stream);
        boolean echo = options.flag("echo", false);
        if (echo && logprobs >= 0) {
            throw new LoricaException.Unsupported("request: key 'echo' is true together with 'logprobs', which asks"
                    + " for log probabilities of the prompt; leave one of them out");
        }
        int best = options.integer("best_of", n, n, limits.choices());
        if (best != n) {
            throw new LoricaException.Unsupported("request: key 'best_of' is " + best
                    + ", but this server chooses no best answers; leave it out, or make 'n' as large");
        }
        if (!options.text("suffix", "").isEmpty()) {
            throw new LoricaException.Unsupported(
                    "request: key 'suffix' asks to fill a gap, which this model cannot; leave it out");
        }
        fields.finish();
        List<long[]> all = prompts.texts("prompt", prompt);
        List<String> shown = echo ? echoes(prompt, all) : List.of();
        return checked(new Job(model, all, n, sampling, true, logprobs, shown, stream, usage));
    }

    private List<String> echoes(JsonNode prompt, List<long[]> all) {
        List<String> shown = new ArrayList<>();
        for (int i = 0; i < all.size(); i++) {
            shown.add(
                    prompts.shown(all.size() == 1 && !prompt.path(0).isTextual() ? prompt : prompt.get(i), all.get(i)));
        }
        return shown;
    }

    private int n(Options options) {
        return options.integer("n", 1, 1, limits.choices());
    }

    private static int chatLogprobs(Options options) {
        boolean wanted = options.flag("logprobs", false);
        int top = options.integer("top_logprobs", 0, 0, MOST_LOGPROBS);
        if (top > 0 && !wanted) {
            throw new LoricaException.BadInput(
                    "request: key 'top_logprobs' is " + top + ", which needs 'logprobs' to be true; set it");
        }
        return wanted ? top : -1;
    }

    private static void refuseTools(Fields fields) {
        Options options = fields.options();
        options.harmlessOnlyWhenEmpty("tools", "calls of tools");
        options.harmlessOnlyWhenEmpty("functions", "calls of tools");
        JsonNode choice = options.take("tool_choice").orElse(null);
        if (choice != null && !List.of("none", "auto").contains(choice.asText())) {
            throw Fields.unsupported("tool_choice", choice, "a call of a tool");
        }
        JsonNode modalities = options.take("modalities").orElse(null);
        if (modalities != null && !modalities.toString().equals("[\"text\"]")) {
            throw Fields.unsupported("modalities", modalities, "more than text");
        }
        options.harmlessOnlyWhenEmpty("audio", "spoken answers");
        options.harmlessOnlyWhenEmpty("prediction", "a predicted answer");
        options.harmlessOnlyWhenEmpty("web_search_options", "a search of the web");
    }

    private Job checked(Job job) {
        if (job.choices() > limits.choices()) {
            throw new LoricaException.BadInput("request: " + job.prompts().size() + " prompts with 'n' of " + job.n()
                    + " are " + job.choices() + " answers, but one request may ask for " + limits.choices()
                    + "; send several requests");
        }
        for (long[] prompt : job.prompts()) {
            if (job.limited() && (long) prompt.length + job.sampling().maxTokens() > context) {
                throw new LoricaException.BadInput("request: the prompt has " + prompt.length
                        + " tokens, and key 'max_tokens' asks for "
                        + job.sampling().maxTokens()
                        + " more, but the model's context holds " + context + "; shorten the prompt or ask for fewer");
            }
        }
        return job;
    }
}
