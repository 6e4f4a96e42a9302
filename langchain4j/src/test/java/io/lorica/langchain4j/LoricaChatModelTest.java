package io.lorica.langchain4j;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import dev.langchain4j.agent.tool.ToolSpecification;
import dev.langchain4j.data.message.AiMessage;
import dev.langchain4j.data.message.ImageContent;
import dev.langchain4j.data.message.SystemMessage;
import dev.langchain4j.data.message.UserMessage;
import dev.langchain4j.exception.InvalidRequestException;
import dev.langchain4j.exception.ModelNotFoundException;
import dev.langchain4j.exception.UnsupportedFeatureException;
import dev.langchain4j.model.chat.request.ChatRequest;
import dev.langchain4j.model.chat.response.ChatResponse;
import dev.langchain4j.model.chat.response.PartialResponse;
import dev.langchain4j.model.chat.response.PartialResponseContext;
import dev.langchain4j.model.chat.response.StreamingChatResponseHandler;
import dev.langchain4j.model.output.FinishReason;
import io.lorica.adapter.Adapter;
import io.lorica.adapter.AdapterConfig;
import io.lorica.adapter.Trainable;
import io.lorica.model.CausalModel;
import io.lorica.model.Message;
import io.lorica.model.ModelStore;
import io.lorica.model.Pretrained;
import io.lorica.model.Sampling;
import io.lorica.serve.LoricaModel;
import io.lorica.serve.engine.EngineOptions;
import io.lorica.tensor.DType;
import io.lorica.tensor.Grad;
import io.lorica.tensor.Scope;
import io.lorica.tensor.Seed;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class LoricaChatModelTest {
    private static final Sampling HOW = Sampling.greedy(12);

    @TempDir
    @SuppressWarnings("NullAway.Init")
    private static Path directory;

    @SuppressWarnings("NullAway.Init")
    private static LoricaModel base;

    @BeforeAll
    static void open() {
        Pretrained pretrained = ModelStore.standard().open("lorica-tiny", DType.F32);
        save(pretrained.causal());
        base = LoricaModel.open(pretrained, 1 << 24, EngineOptions.DEFAULT);
        base.adapters().addAll(directory);
    }

    private static void save(CausalModel model) {
        try (Scope _ = Scope.open();
                Grad _ = Grad.disabled();
                Adapter adapter = Adapter.create(
                        model,
                        AdapterConfig.of(
                                "lora", JsonNodeFactory.instance.objectNode().put("r", 4)),
                        new Seed(1))) {
            for (Trainable trainable : adapter.trainables()) {
                trainable
                        .tensor()
                        .normal_(0, 0.3, new Seed(1).of(trainable.name()).generator());
            }
            adapter.save(directory.resolve("tone"));
        }
    }

    @AfterAll
    static void close() {
        base.close();
    }

    private static LoricaChatModel chatModel() {
        return new LoricaChatModel(base, HOW);
    }

    private static ChatRequest.Builder ask() {
        return ChatRequest.builder().messages(UserMessage.from("Hello"));
    }

    @Test
    void chat_conversation_isTheModelsOwnAnswer() {
        ChatResponse answer = chatModel()
                .chat(
                        SystemMessage.from("Be brief."),
                        UserMessage.from("Hello"),
                        AiMessage.from("Hi."),
                        UserMessage.from("Who?"));
        List<Message> turns = List.of(
                new Message("system", "Be brief."),
                new Message("user", "Hello"),
                new Message("assistant", "Hi."),
                new Message("user", "Who?"));
        assertThat(answer.aiMessage().text()).isEqualTo(base.chat(turns, HOW).text());
        assertThat(answer.modelName()).isEqualTo("lorica-tiny");
    }

    @Test
    void chat_modelName_namesTheAdapter() {
        String text =
                chatModel().chat(ask().modelName("tone").build()).aiMessage().text();
        List<Message> turns = List.of(new Message("user", "Hello"));
        assertThat(text).isEqualTo(base.adapter("tone").chat(turns, HOW).text());
        assertThat(text).isNotEqualTo(base.chat(turns, HOW).text());
    }

    @Test
    void chat_fewTokens_reportsLengthAndUsage() {
        ChatResponse answer = chatModel().chat(ask().maxOutputTokens(2).build());
        assertThat(answer.finishReason()).isEqualTo(FinishReason.LENGTH);
        assertThat(answer.tokenUsage().outputTokenCount()).isEqualTo(2);
        assertThat(answer.tokenUsage().inputTokenCount()).isPositive();
    }

    @Test
    void chat_unknownAdapter_isModelNotFound() {
        assertThatThrownBy(() -> chatModel().chat(ask().modelName("tune").build()))
                .isInstanceOf(ModelNotFoundException.class)
                .hasMessageContaining("tone");
    }

    @Test
    void chat_temperatureBelowZero_isInvalid() {
        assertThatThrownBy(() -> chatModel().chat(ask().temperature(-1.0).build()))
                .isInstanceOf(InvalidRequestException.class);
    }

    @Test
    void chat_tools_areUnsupported() {
        ToolSpecification tool = ToolSpecification.builder().name("clock").build();
        assertThatThrownBy(() -> chatModel().chat(ask().toolSpecifications(tool).build()))
                .isInstanceOf(UnsupportedFeatureException.class);
    }

    @Test
    void chat_picture_isUnsupported() {
        UserMessage picture = UserMessage.from(ImageContent.from("https://example.org/a.png"));
        assertThatThrownBy(() -> chatModel().chat(picture)).isInstanceOf(UnsupportedFeatureException.class);
    }

    /** Remembers what it is told; may cancel or fail at the first piece. */
    private static class Heard implements StreamingChatResponseHandler {
        final List<String> pieces = new ArrayList<>();
        final List<Throwable> errors = new ArrayList<>();
        final CompletableFuture<ChatResponse> end = new CompletableFuture<>();

        @Override
        public void onPartialResponse(PartialResponse piece, PartialResponseContext context) {
            pieces.add(piece.text());
        }

        @Override
        public void onCompleteResponse(ChatResponse response) {
            end.complete(response);
        }

        @Override
        public void onError(Throwable error) {
            errors.add(error);
        }

        ChatResponse response() {
            return end.orTimeout(60, TimeUnit.SECONDS).join();
        }
    }

    @Test
    void stream_answer_comesInPieces() {
        Heard heard = new Heard();
        new LoricaStreamingChatModel(base, HOW).chat(ask().build(), heard);
        String text = chatModel().chat(ask().build()).aiMessage().text();
        assertThat(heard.response().aiMessage().text()).isEqualTo(text);
        assertThat(heard.pieces).hasSizeGreaterThan(1);
        assertThat(String.join("", heard.pieces)).isEqualTo(text);
    }

    @Test
    void stream_handlerThrows_isToldAndGoesOn() {
        Heard heard = new Heard() {
            @Override
            public void onPartialResponse(PartialResponse piece, PartialResponseContext context) {
                throw new IllegalStateException("tired");
            }
        };
        new LoricaStreamingChatModel(base, HOW).chat(ask().build(), heard);
        heard.response();
        assertThat(heard.errors)
                .isNotEmpty()
                .allSatisfy(error -> assertThat(error).hasMessage("tired"));
    }

    @Test
    void stream_cancelled_hearsNoMore() throws InterruptedException {
        Heard heard = new Heard() {
            @Override
            public void onPartialResponse(PartialResponse piece, PartialResponseContext context) {
                super.onPartialResponse(piece, context);
                context.streamingHandle().cancel();
            }
        };
        new LoricaStreamingChatModel(base, Sampling.greedy(400)).chat(ask().build(), heard);
        long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(60);
        while ((heard.pieces.isEmpty() || base.stats().running() > 0) && System.nanoTime() < deadline) {
            Thread.sleep(5);
        }
        assertThat(base.stats().running()).isZero();
        assertThat(heard.pieces).hasSize(1);
        assertThat(heard.end).isNotCompleted();
    }

    @Test
    void stream_unknownAdapter_isAnError() {
        Heard heard = new Heard();
        new LoricaStreamingChatModel(base, HOW).chat(ask().modelName("tune").build(), heard);
        assertThat(heard.errors).singleElement().isInstanceOf(ModelNotFoundException.class);
    }
}
