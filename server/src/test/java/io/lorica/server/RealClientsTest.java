package io.lorica.server;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.openai.client.OpenAIClient;
import com.openai.client.okhttp.OpenAIOkHttpClient;
import com.openai.core.http.StreamResponse;
import com.openai.errors.NotFoundException;
import com.openai.models.chat.completions.ChatCompletion;
import com.openai.models.chat.completions.ChatCompletionChunk;
import com.openai.models.chat.completions.ChatCompletionCreateParams;
import com.openai.models.completions.Completion;
import com.openai.models.completions.CompletionCreateParams;
import com.openai.models.models.Model;
import dev.langchain4j.model.chat.response.ChatResponse;
import dev.langchain4j.model.chat.response.StreamingChatResponseHandler;
import dev.langchain4j.model.openai.OpenAiChatModel;
import dev.langchain4j.model.openai.OpenAiStreamingChatModel;
import java.nio.file.Path;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.function.UnaryOperator;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** OpenAI's own client and LangChain4j's read what the server writes, and write what it reads. */
class RealClientsTest {
    @TempDir
    private static Path adapters;

    @SuppressWarnings("NullAway.Init")
    private static TestServer server;

    @SuppressWarnings("NullAway.Init")
    private static OpenAIClient client;

    @BeforeAll
    static void start() {
        server = new TestServer(adapters, UnaryOperator.identity());
        client = OpenAIOkHttpClient.builder()
                .baseUrl(base())
                .apiKey("none")
                .maxRetries(0)
                .build();
    }

    @AfterAll
    static void close() {
        client.close();
        server.close();
    }

    private static String base() {
        return server.uri("/v1").toString();
    }

    private static ChatCompletionCreateParams.Builder chat(String model) {
        return ChatCompletionCreateParams.builder()
                .model(model)
                .addSystemMessage("Be brief.")
                .addUserMessage("Hello")
                .temperature(0)
                .maxCompletionTokens(8);
    }

    @Test
    void openai_chat_readsAnswerUsageAndLogprobs() {
        ChatCompletion answer = client.chat()
                .completions()
                .create(chat("tone:0.7+law:0.5")
                        .logprobs(true)
                        .topLogprobs(2)
                        .n(2)
                        .build())
                .validate();
        assertThat(answer.choices()).hasSize(2);
        assertThat(answer.choices().getFirst().message().content()).isPresent();
        assertThat(answer.choices()
                        .getFirst()
                        .logprobs()
                        .orElseThrow()
                        .content()
                        .orElseThrow())
                .isNotEmpty()
                .allSatisfy(token -> assertThat(token.topLogprobs()).hasSize(2));
        assertThat(answer.usage().orElseThrow().completionTokens()).isBetween(1L, 16L);
    }

    @Test
    void openai_streamedChat_joinsToTheWhole() {
        String whole = client.chat()
                .completions()
                .create(chat("tone").build())
                .choices()
                .getFirst()
                .message()
                .content()
                .orElseThrow();
        StringBuilder text = new StringBuilder();
        try (StreamResponse<ChatCompletionChunk> stream =
                client.chat().completions().createStreaming(chat("tone").build())) {
            stream.stream()
                    .flatMap(chunk -> chunk.validate().choices().stream())
                    .forEach(choice -> text.append(choice.delta().content().orElse("")));
        }
        assertThat(text.toString()).isEqualTo(whole);
    }

    @Test
    void openai_completions_readsTextAndLogprobs() {
        Completion answer = client.completions()
                .create(CompletionCreateParams.builder()
                        .model("law")
                        .prompt("Once upon a time")
                        .maxTokens(4)
                        .temperature(0)
                        .logprobs(2)
                        .build())
                .validate();
        assertThat(answer.choices().getFirst().text()).isNotEmpty();
        assertThat(answer.choices().getFirst().logprobs().orElseThrow().tokens().orElseThrow())
                .hasSize(4);
    }

    @Test
    void openai_models_listsBaseAndAdapters() {
        assertThat(client.models().list().items().stream().map(Model::id))
                .containsExactly("lorica-tiny", "law", "tone");
    }

    @Test
    void openai_unknownModel_isNotFoundWithItsMessage() {
        ChatCompletionCreateParams params = chat("tome").build();
        assertThatThrownBy(() -> client.chat().completions().create(params))
                .isInstanceOf(NotFoundException.class)
                .hasMessageContaining("did you mean 'tone'");
    }

    @Test
    void langchain4j_chat_answers() {
        OpenAiChatModel model = OpenAiChatModel.builder()
                .baseUrl(base())
                .apiKey("none")
                .modelName("tone")
                .temperature(0.0)
                .maxTokens(8)
                .build();
        assertThat(model.chat("Hello")).isNotEmpty();
    }

    @Test
    void langchain4j_streamedChat_joinsToTheAnswer() throws Exception {
        OpenAiStreamingChatModel model = OpenAiStreamingChatModel.builder()
                .baseUrl(base())
                .apiKey("none")
                .modelName("law")
                .temperature(0.0)
                .maxTokens(8)
                .build();
        StringBuilder text = new StringBuilder();
        CompletableFuture<ChatResponse> done = new CompletableFuture<>();
        model.chat("Hello", new StreamingChatResponseHandler() {
            @Override
            public void onPartialResponse(String partial) {
                text.append(partial);
            }

            @Override
            public void onCompleteResponse(ChatResponse response) {
                done.complete(response);
            }

            @Override
            public void onError(Throwable error) {
                done.completeExceptionally(error);
            }
        });
        ChatResponse response = done.get(60, TimeUnit.SECONDS);
        assertThat(response.aiMessage().text()).isEqualTo(text.toString()).isNotEmpty();
        assertThat(response.tokenUsage().outputTokenCount()).isBetween(1, 8);
    }
}
