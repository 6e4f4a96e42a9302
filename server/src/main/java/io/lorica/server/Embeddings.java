package io.lorica.server;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.helidon.webserver.http.ServerRequest;
import io.helidon.webserver.http.ServerResponse;
import io.lorica.adapter.Options;
import io.lorica.model.Tokenizer;
import io.lorica.serve.store.Lease;
import io.lorica.server.access.Tenant;
import io.lorica.tensor.LoricaException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Base64;
import java.util.List;

/** {@code /v1/embeddings}, where the base is an encoder. */
final class Embeddings implements Action {
    private static final int MOST_TEXTS = 2048; // OpenAI's limit

    private final Embedder embedder;
    private final Served served;
    private final Prompts prompts;
    private final ServerOptions options;
    private final Workers workers;
    private final Running running;

    Embeddings(
            Embedder embedder,
            Served served,
            Tokenizer tokenizer,
            ServerOptions options,
            Workers workers,
            Running running) {
        this.embedder = embedder;
        this.served = served;
        this.options = options;
        this.workers = workers;
        this.running = running;
        prompts = new Prompts(tokenizer);
    }

    /**
     * @param texts token ids
     * @param base64 whether vectors are written as little-endian floats in Base64, which OpenAI's clients ask for
     */
    private record Wanted(String model, List<long[]> texts, boolean base64) {
        int tokens() {
            return texts.stream().mapToInt(text -> text.length).sum();
        }
    }

    @Override
    public void handle(ServerRequest request, ServerResponse response, Tenant tenant) throws InterruptedException {
        ObjectNode body = Body.read(request, options.bodyBytes());
        tenant.admit();
        try (Running.Entry _ = running.enter()) {
            Wanted wanted = workers.run(() -> parse(body));
            try (Lease lease = workers.run(() -> served.store().acquire(served.spec(wanted.model(), tenant)))) {
                List<float[]> vectors = embedder.embed(wanted.texts(), lease.blend());
                tenant.charge(wanted.tokens(), 0);
                Json.send(response, answer(wanted, vectors));
            }
        }
    }

    private Wanted parse(ObjectNode json) {
        Fields fields = new Fields(json);
        Options keys = fields.options();
        String model = fields.model();
        JsonNode input = fields.required("input");
        boolean base64 = keys.choice("encoding_format", "float", List.of("float", "base64"))
                .equals("base64");
        int size = embedder.size();
        if (keys.integer("dimensions", size, 1, Integer.MAX_VALUE) != size) {
            throw new LoricaException.Unsupported(
                    "request: key 'dimensions' asks for another size than the model's " + size + "; leave it out");
        }
        keys.take("user");
        keys.refuseUnknown();
        List<long[]> texts = prompts.texts("input", input);
        require(texts);
        return new Wanted(model, texts, base64);
    }

    private void require(List<long[]> texts) {
        if (texts.size() > MOST_TEXTS) {
            throw new LoricaException.BadInput("request: key 'input' holds " + texts.size()
                    + " texts, but one request may" + " have " + MOST_TEXTS + "; send several requests");
        }
        for (long[] text : texts) {
            if (text.length == 0 || text.length > embedder.contextLength()) {
                throw new LoricaException.BadInput("request: key 'input' holds a text of " + text.length
                        + " tokens, but the model reads 1 to " + embedder.contextLength() + "; cut it");
            }
            for (long id : text) {
                if (id < 0 || id >= embedder.vocabularySize()) {
                    throw new LoricaException.BadInput("request: key 'input' holds token id " + id
                            + ", but the model has " + embedder.vocabularySize() + " tokens");
                }
            }
        }
    }

    private static ObjectNode answer(Wanted wanted, List<float[]> vectors) {
        ObjectNode root = JsonNodeFactory.instance.objectNode().put("object", "list");
        var data = root.putArray("data");
        for (int i = 0; i < vectors.size(); i++) {
            ObjectNode entry = data.addObject().put("object", "embedding").put("index", i);
            if (wanted.base64()) {
                entry.put("embedding", base64(vectors.get(i)));
            } else {
                var numbers = entry.putArray("embedding");
                for (float value : vectors.get(i)) {
                    numbers.add(value);
                }
            }
        }
        root.put("model", wanted.model());
        root.putObject("usage").put("prompt_tokens", wanted.tokens()).put("total_tokens", wanted.tokens());
        return root;
    }

    private static String base64(float[] vector) {
        ByteBuffer bytes = ByteBuffer.allocate(4 * vector.length).order(ByteOrder.LITTLE_ENDIAN);
        bytes.asFloatBuffer().put(vector);
        return Base64.getEncoder().encodeToString(bytes.array());
    }
}
