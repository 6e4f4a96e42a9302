package io.lorica.model;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.lorica.tensor.GgufFile;
import io.lorica.tensor.LoricaException;
import io.lorica.tensor.TensorSource;
import java.nio.file.Path;
import java.util.Map;
import java.util.Optional;

/**
 * A GGUF file read as the Hugging Face model it was made from: its metadata gives {@code config.json} and the
 * tokenizer, its tensors get their checkpoint names and row order back ({@link GgufTensors}).
 *
 * <p>Architectures: {@code llama} (Llama, Mistral, SmolLM2 …) and {@code qwen2}. Quantized weights are read as the
 * float32 numbers they stand for.
 */
final class GgufModel implements ModelFiles {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final Map<String, String> CLASSES = Map.of("llama", "LlamaForCausalLM", "qwen2", "Qwen2ForCausalLM");

    private final Path path;
    private final Map<String, Object> values;
    private final ModelConfig config;

    private GgufModel(Path path, GgufFile file) {
        this.path = path;
        this.values = file.values();
        this.config = new ModelConfig(config(new GgufValues(values, path.toString()), file), path.toString());
    }

    /**
     * @throws LoricaException.Unsupported for other architectures, and for parts of these (experts, partial rotary
     *     embedding) that Lorica does not compute
     */
    static GgufModel read(Path path) {
        try (GgufFile file = GgufFile.open(path)) {
            return new GgufModel(path, file);
        }
    }

    private static ObjectNode config(GgufValues values, GgufFile file) {
        String architecture = values.text("general.architecture");
        if (!CLASSES.containsKey(architecture)) {
            throw new LoricaException.Unsupported(values.where() + ": GGUF architecture '" + architecture
                    + "' is not supported (known: "
                    + String.join(", ", CLASSES.keySet().stream().sorted().toList())
                    + "); use the model's Hugging Face directory instead");
        }
        String prefix = architecture + ".";
        if (values.integer(prefix + "expert_count", 0) > 0) {
            throw new LoricaException.Unsupported(
                    values.where() + ": a mixture of experts (" + prefix + "expert_count) is not supported");
        }
        ObjectNode config = JSON.createObjectNode();
        config.putArray("architectures").add(CLASSES.get(architecture));
        config.put("model_type", architecture);
        long hidden = values.integer(prefix + "embedding_length");
        long heads = values.integer(prefix + "attention.head_count");
        config.put("hidden_size", hidden);
        config.put("intermediate_size", values.integer(prefix + "feed_forward_length"));
        config.put("num_hidden_layers", values.integer(prefix + "block_count"));
        config.put("num_attention_heads", heads);
        config.put("num_key_value_heads", values.integer(prefix + "attention.head_count_kv", heads));
        config.put("max_position_embeddings", values.integer(prefix + "context_length"));
        config.put("rms_norm_eps", values.number(prefix + "attention.layer_norm_rms_epsilon"));
        config.put("hidden_act", "silu");
        config.put("vocab_size", vocabulary(file, values));
        config.put("tie_word_embeddings", !file.names().contains("output.weight"));
        long headDim = values.integer(prefix + "attention.key_length", heads == 0 ? 0 : hidden / heads);
        if (headDim * heads != hidden) {
            config.put("head_dim", headDim);
        }
        if (architecture.equals("llama")) {
            config.put("attention_bias", file.names().contains("blk.0.attn_q.bias"));
            config.put("mlp_bias", file.names().contains("blk.0.ffn_gate.bias"));
        } else {
            config.put("use_sliding_window", false);
        }
        GgufRope.describe(values, prefix, headDim, file, config);
        values.find("tokenizer.ggml.bos_token_id").ifPresent(id -> config.put("bos_token_id", id));
        values.find("tokenizer.ggml.eos_token_id").ifPresent(id -> config.put("eos_token_id", id));
        values.find("tokenizer.ggml.padding_token_id").ifPresent(id -> config.put("pad_token_id", id));
        return config;
    }

    private static long vocabulary(GgufFile file, GgufValues values) {
        if (!file.names().contains("token_embd.weight")) {
            throw new LoricaException.BadInput(
                    values.where() + ": tensor 'token_embd.weight' is missing; the file holds no whole model");
        }
        return file.info("token_embd.weight").shape()[0];
    }

    @Override
    public Path path() {
        return path;
    }

    @Override
    public ModelConfig config() {
        return config;
    }

    @Override
    public TensorSource tensors() {
        return GgufTensors.open(path, config);
    }

    @Override
    public Tokenizer tokenizer() {
        return definition().load();
    }

    private TokenizerDefinition definition() {
        return GgufTokenizer.convert(values, path.toString());
    }

    /** End tokens: the file's own, and the one that ends a turn where it is another. */
    @Override
    public ObjectNode generation() {
        ObjectNode generation = JSON.createObjectNode();
        GgufValues typed = new GgufValues(values, path.toString());
        typed.find("tokenizer.ggml.bos_token_id").ifPresent(id -> generation.put("bos_token_id", id));
        typed.find("tokenizer.ggml.eos_token_id").ifPresent(eos -> {
            Optional<Long> turn = typed.find("tokenizer.ggml.eot_token_id").filter(id -> !id.equals(eos));
            if (turn.isPresent()) {
                ArrayNode both = generation.putArray("eos_token_id");
                both.add(eos).add(turn.get());
            } else {
                generation.put("eos_token_id", eos);
            }
        });
        typed.find("tokenizer.ggml.padding_token_id").ifPresent(id -> generation.put("pad_token_id", id));
        return generation;
    }

    @Override
    public boolean hasChatTemplate() {
        return values.containsKey("tokenizer.chat_template");
    }

    @Override
    public Optional<String> licence() {
        return values.get("general.license") instanceof String licence ? Optional.of(licence) : Optional.empty();
    }

    @Override
    public void writeTokenizer(Path directory) {
        definition().write(directory);
    }
}
