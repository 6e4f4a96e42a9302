package io.lorica.server;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.data.Offset.offset;

import com.fasterxml.jackson.databind.JsonNode;
import com.openai.client.OpenAIClient;
import com.openai.client.okhttp.OpenAIOkHttpClient;
import com.openai.models.embeddings.EmbeddingCreateParams;
import io.lorica.model.Batch;
import io.lorica.model.EncoderModel;
import io.lorica.model.ModelStore;
import io.lorica.model.Pass;
import io.lorica.model.Pretrained;
import io.lorica.serve.store.AdapterStore;
import io.lorica.tensor.DType;
import io.lorica.tensor.Grad;
import io.lorica.tensor.Scope;
import io.lorica.tensor.Tensors;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** {@code /v1/embeddings} of a tiny random BERT whose tokens are the words w0 to w63. */
class EmbeddingsTest {
    @TempDir
    private static Path folder;

    @SuppressWarnings("NullAway.Init")
    private static Pretrained base;

    @SuppressWarnings("NullAway.Init")
    private static AdapterStore store;

    @SuppressWarnings("NullAway.Init")
    private static LoricaServer server;

    @BeforeAll
    static void start() throws IOException {
        Path fixture = Path.of("..", "model", "src", "test", "resources", "fixtures", "bert");
        for (String file : List.of("config.json", "model.safetensors")) {
            Files.copy(fixture.resolve(file), folder.resolve(file));
        }
        StringBuilder words = new StringBuilder("\"[UNK]\": 0");
        for (int i = 1; i < 64; i++) {
            words.append(", \"w").append(i).append("\": ").append(i);
        }
        Files.writeString(
                folder.resolve("tokenizer.json"),
                "{\"version\": \"1.0\", \"added_tokens\": [], \"pre_tokenizer\": {\"type\": \"Whitespace\"}, \"model\":"
                        + " {\"type\": \"WordLevel\", \"unk_token\": \"[UNK]\", \"vocab\": {" + words + "}}}");
        base = ModelStore.standard().open(folder.toString(), DType.F32);
        store = new AdapterStore(base.model(), 1 << 20);
        server = LoricaServer.start(base, store, ServerOptions.of("tiny-bert").withAddress("127.0.0.1", 0));
    }

    @AfterAll
    static void close() {
        server.close();
        store.close();
        base.close();
    }

    private static JsonNode post(String path, String body) throws Exception {
        URI uri = server.address().resolve(path);
        try (HttpClient client = HttpClient.newHttpClient()) {
            return TestServer.json(client.send(
                    HttpRequest.newBuilder(uri)
                            .POST(HttpRequest.BodyPublishers.ofString(body.replace('\'', '"')))
                            .build(),
                    HttpResponse.BodyHandlers.ofString()));
        }
    }

    /** Mean over tokens, then length 1, on a second copy of the model. */
    private static double[] expected(long... tokens) {
        try (Pretrained copy = ModelStore.standard().open(folder.toString(), DType.F32);
                Scope _ = Scope.open();
                Grad _ = Grad.disabled()) {
            EncoderModel model = (EncoderModel) copy.model();
            float[] hidden = Tensors.floats(model.hidden(Batch.of(List.of(tokens)), Pass.inference()));
            double[] mean = new double[model.hiddenSize()];
            double square = 0;
            for (int j = 0; j < mean.length; j++) {
                for (int i = 0; i < tokens.length; i++) {
                    mean[j] += hidden[i * mean.length + j] / (double) tokens.length;
                }
                square += mean[j] * mean[j];
            }
            for (int j = 0; j < mean.length; j++) {
                mean[j] /= Math.sqrt(square);
            }
            return mean;
        }
    }

    @Test
    void embeddings_ofTexts_areNormalizedMeans() throws Exception {
        JsonNode answer = post("/v1/embeddings", "{'model': 'tiny-bert', 'input': ['w3 w5 w8', 'w13']}");
        double[] first = expected(3, 5, 8);
        JsonNode vector = answer.at("/data/0/embedding");
        assertThat(vector).hasSize(first.length);
        for (int j = 0; j < first.length; j++) {
            assertThat(vector.get(j).asDouble()).isCloseTo(first[j], offset(1e-5));
        }
        assertThat(answer.at("/data/1/embedding/0").asDouble()).isCloseTo(expected(13)[0], offset(1e-5));
        assertThat(answer.at("/usage/prompt_tokens").asInt()).isEqualTo(4);
    }

    @Test
    void embeddings_throughOpenAisClient_areTheSame() {
        OpenAIClient client = OpenAIOkHttpClient.builder()
                .baseUrl(server.address().resolve("/v1").toString())
                .apiKey("none")
                .build();
        List<Float> vector = client.embeddings()
                .create(EmbeddingCreateParams.builder()
                        .model("tiny-bert")
                        .input("w3 w5 w8")
                        .build())
                .data()
                .getFirst()
                .embedding();
        assertThat((double) vector.get(7)).isCloseTo(expected(3, 5, 8)[7], offset(1e-5));
        client.close();
    }

    @Test
    void input_malformed_isRefused() throws Exception {
        assertThat(post("/v1/embeddings", "{'model': 'tiny-bert', 'input': ''}")
                        .at("/error/param")
                        .asText())
                .isEqualTo("input");
        assertThat(post("/v1/embeddings", "{'model': 'tiny-bert', 'input': [64]}")
                        .at("/error/message")
                        .asText())
                .contains("64");
        assertThat(post("/v1/embeddings", "{'model': 'tiny-bert', 'input': 'w1', 'dimensions': 3}")
                        .at("/error/code")
                        .asText())
                .isEqualTo("unsupported");
    }

    @Test
    void completions_onEncoder_areNotThere() throws Exception {
        assertThat(post("/v1/completions", "{'model': 'tiny-bert', 'prompt': 'w1'}")
                        .at("/error/message")
                        .asText())
                .contains("causal base");
    }
}
