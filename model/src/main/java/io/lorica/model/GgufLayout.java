package io.lorica.model;

import io.lorica.tensor.LoricaException;
import io.lorica.tensor.Scope;
import java.util.Map;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import org.bytedeco.pytorch.Tensor;

/**
 * How GGUF names the tensors of a decoder, and the order in which it holds their rows.
 *
 * <p>For the architecture {@code llama}, llama.cpp's converter reorders the rows of q and k within each head, from two
 * halves to pairs, since its rotary embedding turns neighbours: row {@code (head, half, i)} of a head of {@code d} rows
 * moves to {@code (head, i, half)}. Other architectures keep the rows.
 *
 * @param architecture as {@code general.architecture} says it
 * @param heads query heads
 * @param keyHeads key and value heads
 */
public record GgufLayout(String architecture, int heads, int keyHeads) {
    private static final Map<String, String> ARCHITECTURES =
            Map.of("llama", "llama", "mistral", "llama", "qwen2", "qwen2");
    private static final Pattern STORED = Pattern.compile("blk\\.(\\d+)\\.(\\w+)\\.(weight|bias)");
    private static final Pattern KNOWN = Pattern.compile("model\\.layers\\.(\\d+)\\.([\\w.]+)\\.(weight|bias)");
    private static final Map<String, String> WHOLE = Map.of(
            "token_embd.weight", "model.embed_tokens.weight",
            "output_norm.weight", "model.norm.weight",
            "output.weight", "lm_head.weight");
    private static final Map<String, String> IN_LAYER = Map.of(
            "attn_norm", "input_layernorm",
            "attn_q", "self_attn.q_proj",
            "attn_k", "self_attn.k_proj",
            "attn_v", "self_attn.v_proj",
            "attn_output", "self_attn.o_proj",
            "ffn_norm", "post_attention_layernorm",
            "ffn_gate", "mlp.gate_proj",
            "ffn_up", "mlp.up_proj",
            "ffn_down", "mlp.down_proj");
    private static final Map<String, String> STORED_WHOLE = turned(WHOLE);
    private static final Map<String, String> STORED_IN_LAYER = turned(IN_LAYER);

    private static Map<String, String> turned(Map<String, String> names) {
        return names.entrySet().stream().collect(Collectors.toUnmodifiableMap(Map.Entry::getValue, Map.Entry::getKey));
    }

    /** @throws LoricaException.Unsupported where GGUF's names for that model type are not known here */
    public static GgufLayout of(ModelConfig config) {
        String architecture = ARCHITECTURES.get(config.modelType());
        if (architecture == null) {
            throw new LoricaException.Unsupported(config.where()
                    + ": Lorica does not know how GGUF lays out model_type '"
                    + config.modelType() + "' (known: "
                    + String.join(", ", ARCHITECTURES.keySet().stream().sorted().toList()) + ")");
        }
        int heads = config.integer("num_attention_heads");
        return new GgufLayout(architecture, heads, config.integer("num_key_value_heads", heads));
    }

    /** Hugging Face's name of a tensor that GGUF calls {@code stored}; empty for one that is not known. */
    static Optional<String> huggingFaceName(String stored) {
        Matcher layer = STORED.matcher(stored);
        if (layer.matches()) {
            return Optional.ofNullable(IN_LAYER.get(layer.group(2)))
                    .map(part -> "model.layers." + layer.group(1) + "." + part + "." + layer.group(3));
        }
        return Optional.ofNullable(WHOLE.get(stored));
    }

    /** GGUF's name of a tensor that Hugging Face calls {@code name}; empty for one that is not known. */
    public static Optional<String> storedName(String name) {
        Matcher layer = KNOWN.matcher(name);
        if (layer.matches()) {
            return Optional.ofNullable(STORED_IN_LAYER.get(layer.group(2)))
                    .map(part -> "blk." + layer.group(1) + "." + part + "." + layer.group(3));
        }
        return Optional.ofNullable(STORED_WHOLE.get(name));
    }

    /** Whether the rows of the tensor with that Hugging Face name are stored in another order. */
    boolean reordered(String name) {
        return architecture.equals("llama") && (name.contains(".q_proj.") || name.contains(".k_proj."));
    }

    /** The heads that the rows of a reordered tensor belong to. */
    int headsOf(String name) {
        return name.contains(".q_proj.") ? heads : keyHeads;
    }

    /**
     * Rows in the order in which GGUF holds them.
     *
     * @param name Hugging Face's name of the weight that the rows belong to
     * @param rows {@code [out]} or {@code [out, n]}
     * @return the same, or a new tensor in the caller's innermost scope
     */
    public Tensor stored(String name, Tensor rows) {
        return reordered(name) ? turn(rows, 2, rows.size(0) / headsOf(name) / 2, headsOf(name)) : rows;
    }

    /** Rows that GGUF holds, in Hugging Face's order; undoes {@link #stored}. */
    Tensor read(String name, Tensor rows) {
        int count = headsOf(name);
        if (!reordered(name) || count == 0 || rows.size(0) % (2L * count) != 0) {
            return rows; // a shape that does not fit the configuration is reported by Weights with all others
        }
        return turn(rows, rows.size(0) / count / 2, 2, count);
    }

    /** {@code [heads, outer, inner, ...]} to {@code [heads, inner, outer, ...]}. */
    private static Tensor turn(Tensor rows, long outer, long inner, long heads) {
        try (Scope scope = Scope.open()) {
            long count = rows.size(0);
            Tensor turned = rows.reshape(heads, outer, inner, rows.numel() / count)
                    .transpose(1, 2)
                    .contiguous();
            return scope.keep(rows.dim() == 1 ? turned.view(count) : turned.view(count, rows.numel() / count));
        }
    }
}
