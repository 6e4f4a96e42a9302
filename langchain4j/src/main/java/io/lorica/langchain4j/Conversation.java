package io.lorica.langchain4j;

import dev.langchain4j.data.message.AiMessage;
import dev.langchain4j.data.message.ChatMessage;
import dev.langchain4j.data.message.SystemMessage;
import dev.langchain4j.data.message.UserMessage;
import dev.langchain4j.exception.InternalServerException;
import dev.langchain4j.exception.InvalidRequestException;
import dev.langchain4j.exception.ModelNotFoundException;
import dev.langchain4j.exception.RateLimitException;
import dev.langchain4j.exception.UnsupportedFeatureException;
import dev.langchain4j.model.chat.request.ChatRequest;
import dev.langchain4j.model.chat.request.ChatRequestParameters;
import dev.langchain4j.model.chat.request.ResponseFormat;
import dev.langchain4j.model.chat.request.ResponseFormatType;
import dev.langchain4j.model.chat.response.ChatResponse;
import dev.langchain4j.model.output.FinishReason;
import dev.langchain4j.model.output.TokenUsage;
import io.lorica.model.Generation;
import io.lorica.model.Message;
import io.lorica.model.Sampling;
import io.lorica.serve.LoricaModel;
import io.lorica.tensor.LoricaException;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** What LangChain4j asks in the words of Lorica, and what Lorica answers in those of LangChain4j. */
record Conversation(LoricaModel standard, Sampling defaults) {

    ChatRequestParameters parameters() {
        return ChatRequestParameters.builder()
                .temperature(defaults.temperature())
                .topP(defaults.topP())
                .topK(defaults.topK())
                .maxOutputTokens(defaults.maxTokens())
                .stopSequences(defaults.stop())
                .build();
    }

    LoricaModel model(ChatRequest request) {
        String name = request.modelName();
        try {
            return name == null ? standard : standard.adapter(name);
        } catch (LoricaException e) {
            throw translated(e);
        }
    }

    Sampling sampling(ChatRequest request) {
        requireNothingElse(request);
        List<String> stop = request.stopSequences();
        try {
            return new Sampling(
                    or(request.temperature(), defaults.temperature()),
                    or(request.topK(), defaults.topK()),
                    or(request.topP(), defaults.topP()),
                    defaults.minP(),
                    defaults.repetitionPenalty(),
                    or(request.maxOutputTokens(), defaults.maxTokens()),
                    stop == null || stop.isEmpty() ? defaults.stop() : stop,
                    defaults.seed());
        } catch (LoricaException e) {
            throw translated(e);
        }
    }

    private static double or(@Nullable Double value, double otherwise) {
        return value == null ? otherwise : value;
    }

    private static int or(@Nullable Integer value, int otherwise) {
        return value == null ? otherwise : value;
    }

    private static void requireNothingElse(ChatRequest request) {
        List<String> foreign = new ArrayList<>();
        if (request.toolSpecifications() != null
                && !request.toolSpecifications().isEmpty()) {
            foreign.add("tools");
        }
        ResponseFormat format = request.responseFormat();
        if (format != null && format.type() != ResponseFormatType.TEXT) {
            foreign.add("the response format " + format.type());
        }
        if (or(request.frequencyPenalty(), 0.0) != 0) {
            foreign.add("a frequency penalty");
        }
        if (or(request.presencePenalty(), 0.0) != 0) {
            foreign.add("a presence penalty");
        }
        if (!foreign.isEmpty()) {
            throw new UnsupportedFeatureException(
                    "the request asks for " + String.join(" and ", foreign) + ", which Lorica has not; leave it out");
        }
    }

    static List<Message> messages(ChatRequest request) {
        return request.messages().stream().map(Conversation::message).toList();
    }

    private static Message message(ChatMessage message) {
        return switch (message) {
            case SystemMessage system -> new Message("system", system.text());
            case UserMessage user when user.hasSingleText() -> new Message("user", user.singleText());
            case AiMessage answer
            when !answer.hasToolExecutionRequests() && answer.text() != null -> new Message("assistant", answer.text());
            default ->
                throw new UnsupportedFeatureException(
                        "a message of type " + message.type() + " holds something else than one text; give text only");
        };
    }

    static ChatResponse response(LoricaModel model, Generation answer) {
        return ChatResponse.builder()
                .aiMessage(AiMessage.from(answer.text()))
                .modelName(model.name())
                .tokenUsage(new TokenUsage(answer.promptTokens(), answer.tokens().length))
                .finishReason(
                        switch (answer.finishReason()) {
                            case STOP -> FinishReason.STOP;
                            case LENGTH -> FinishReason.LENGTH;
                        })
                .build();
    }

    /** The exception that tells LangChain4j whether to try again. */
    static RuntimeException translated(LoricaException error) {
        return switch (error.kind()) {
            case BAD_INPUT, INCOMPATIBLE -> new InvalidRequestException(error.getMessage(), error);
            case NOT_FOUND -> new ModelNotFoundException(error.getMessage(), error);
            case BUSY -> new RateLimitException(error.getMessage(), error);
            case UNSUPPORTED -> new UnsupportedFeatureException(error.getMessage());
            case DIVERGED, INTERNAL -> new InternalServerException(error.getMessage(), error);
        };
    }
}
