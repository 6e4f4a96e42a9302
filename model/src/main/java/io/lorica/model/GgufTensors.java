package io.lorica.model;

import io.lorica.tensor.GgufFile;
import io.lorica.tensor.LoricaException;
import io.lorica.tensor.Quantized;
import io.lorica.tensor.Scope;
import io.lorica.tensor.TensorSource;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SequencedMap;
import java.util.SequencedSet;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.LongStream;
import org.bytedeco.pytorch.Tensor;

/**
 * The tensors of a GGUF file under their Hugging Face names, and in Hugging Face's row order.
 *
 * <p>For the architecture {@code llama}, llama.cpp's converter reorders the rows of q and k within each head, from two
 * halves to pairs, since its rotary embedding turns neighbours: row {@code (head, half, i)} of a head of {@code d} rows
 * moves to {@code (head, i, half)}. Reading undoes that. Other architectures keep the rows.
 */
final class GgufTensors implements TensorSource {
    private static final Pattern LAYER = Pattern.compile("blk\\.(\\d+)\\.(\\w+)\\.(weight|bias)");
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

    private final GgufFile file;
    private final SequencedMap<String, String> stored;
    private final boolean permuted;
    private final int heads;
    private final int keyHeads;

    private GgufTensors(GgufFile file, SequencedMap<String, String> stored, ModelConfig config) {
        this.file = file;
        this.stored = stored;
        this.permuted = config.modelType().equals("llama");
        this.heads = config.integer("num_attention_heads");
        this.keyHeads = config.integer("num_key_value_heads");
    }

    static GgufTensors open(Path path, ModelConfig config) {
        GgufFile file = GgufFile.open(path);
        try {
            return new GgufTensors(file, names(file, path), config);
        } catch (RuntimeException e) {
            file.close();
            throw e;
        }
    }

    /** Hugging Face name to GGUF name. */
    private static SequencedMap<String, String> names(GgufFile file, Path path) {
        SequencedMap<String, String> names = new LinkedHashMap<>();
        List<String> unknown = new ArrayList<>();
        for (String name : file.names()) {
            // The rotary divisors are in the configuration already.
            if (!name.equals(GgufRope.DIVISORS)) {
                huggingFaceName(name).ifPresentOrElse(known -> names.put(known, name), () -> unknown.add(name));
            }
        }
        if (!unknown.isEmpty()) {
            throw new LoricaException.Unsupported(path + ": " + unknown.size()
                    + " tensors belong to no part of this architecture that Lorica knows: "
                    + String.join(", ", unknown.subList(0, Math.min(8, unknown.size())))
                    + "; use the model's Hugging Face directory instead");
        }
        return names;
    }

    static Optional<String> huggingFaceName(String name) {
        Matcher layer = LAYER.matcher(name);
        if (layer.matches()) {
            return Optional.ofNullable(IN_LAYER.get(layer.group(2)))
                    .map(part -> "model.layers." + layer.group(1) + "." + part + "." + layer.group(3));
        }
        return Optional.ofNullable(WHOLE.get(name));
    }

    @Override
    public Map<String, String> metadata() {
        return file.metadata();
    }

    @Override
    public SequencedSet<String> names() {
        return Collections.unmodifiableSequencedMap(stored).sequencedKeySet();
    }

    @Override
    public TensorInfo info(String name) {
        return file.info(stored(name));
    }

    @Override
    public Tensor read(String name) {
        if (!reordered(name)) {
            return file.read(stored(name));
        }
        try (Scope scope = Scope.open()) {
            return scope.keep(halves(file.read(stored(name)), name.contains(".q_proj.") ? heads : keyHeads));
        }
    }

    @Override
    public Optional<Quantized> quantized(String name) {
        if (!reordered(name)) {
            return file.quantized(stored(name));
        }
        long rows = info(name).shape()[0];
        long count = name.contains(".q_proj.") ? heads : keyHeads;
        if (count == 0 || rows % (2 * count) != 0) {
            return Optional.empty(); // Weights reports the shape
        }
        long half = rows / count / 2;
        long[] order = LongStream.range(0, rows)
                .map(row -> row / (2 * half) * 2 * half + row % half * 2 + row / half % 2)
                .toArray();
        return file.quantized(stored(name), order);
    }

    private boolean reordered(String name) {
        return permuted && (name.contains(".q_proj.") || name.contains(".k_proj."));
    }

    @Override
    public void unload() {
        file.unload();
    }

    /** {@code [heads, d/2, 2, ...]} back to {@code [heads, 2, d/2, ...]}. */
    private static Tensor halves(Tensor rows, long heads) {
        long count = rows.size(0);
        if (heads == 0 || count % (2 * heads) != 0) {
            return rows; // the shape does not fit the configuration, which Weights reports with all others
        }
        long width = rows.numel() / count;
        Tensor pairs = rows.view(heads, count / heads / 2, 2, width);
        Tensor halves = pairs.transpose(1, 2).contiguous();
        return rows.dim() == 1 ? halves.view(count) : halves.view(count, width);
    }

    private String stored(String name) {
        String known = stored.get(name);
        if (known == null) {
            throw new LoricaException.NotFound("the GGUF file holds no tensor for '" + name + "'");
        }
        return known;
    }

    @Override
    public void close() {
        file.close();
    }
}
