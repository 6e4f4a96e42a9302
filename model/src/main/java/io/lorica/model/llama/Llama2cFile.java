package io.lorica.model.llama;

import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.lorica.model.ModelConfig;
import io.lorica.tensor.LoricaException;
import io.lorica.tensor.Scope;
import io.lorica.tensor.TensorSource;
import io.lorica.tensor.Tensors;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.SequencedMap;
import java.util.SequencedSet;
import org.bytedeco.pytorch.Tensor;

/**
 * A small Llama in the layout of the llama2.c project (its first version): seven little-endian int32 (dim, hidden,
 * layers, heads, key heads, vocabulary, context; a negative vocabulary means an output of its own), then float32, each
 * kind of tensor for all layers together.
 *
 * <p>That layout rotates the neighbouring coordinates {@code (2i, 2i+1)} of a head, Hugging Face's the coordinates
 * {@code (i, i + d/2)}: rows of the query and key matrices are put in the latter order when they are read, which changes
 * no score, since queries and keys are permuted alike.
 */
public final class Llama2cFile implements TensorSource {
    private static final int HEADER = 7 * Integer.BYTES;

    /** Where a tensor lies; {@code heads} is 0 but for rows that must be reordered head by head. */
    private record Piece(long offset, long[] shape, int heads) {
        long count() {
            long count = 1;
            for (long size : shape) {
                count *= size;
            }
            return count;
        }
    }

    private final Path path;
    private final FileChannel channel;
    private final Llama2cHeader header;
    private final SequencedMap<String, Piece> pieces = new LinkedHashMap<>();
    private long end = HEADER;

    private Llama2cFile(Path path, FileChannel channel) throws IOException {
        this.path = path;
        this.channel = channel;
        header = Llama2cHeader.parse(bytes(0, HEADER), path);
        layOut();
        if (end != channel.size()) {
            throw new LoricaException.BadInput(path + " has " + channel.size() + " bytes, but its header " + header
                    + " needs " + end + "; it is cut off or no llama2.c model");
        }
    }

    /**
     * @throws LoricaException.BadInput if the sizes in the header are impossible or do not fit the file's length
     */
    public static Llama2cFile open(Path path) {
        FileChannel channel;
        try {
            channel = FileChannel.open(path, StandardOpenOption.READ);
        } catch (IOException e) {
            throw new LoricaException.NotFound(path + " cannot be opened (" + e + "); check the path");
        }
        try {
            return new Llama2cFile(path, channel);
        } catch (IOException | RuntimeException e) {
            close(channel, path);
            throw e instanceof RuntimeException known ? known : failed(path, (IOException) e);
        }
    }

    private void layOut() {
        int dim = header.dim();
        int hidden = header.hidden();
        long keys = (long) header.keyHeads() * header.headDim();
        add("model.embed_tokens.weight", 0, header.vocabulary(), dim);
        layers("input_layernorm", 0, dim);
        layers("self_attn.q_proj", header.heads(), dim, dim);
        layers("self_attn.k_proj", header.keyHeads(), keys, dim);
        layers("self_attn.v_proj", 0, keys, dim);
        layers("self_attn.o_proj", 0, dim, dim);
        layers("post_attention_layernorm", 0, dim);
        layers("mlp.gate_proj", 0, hidden, dim);
        layers("mlp.down_proj", 0, dim, hidden);
        layers("mlp.up_proj", 0, hidden, dim);
        add("model.norm.weight", 0, dim);
        end += (long) header.context() * header.headDim() * Float.BYTES; // tables of cosines and sines
        if (!header.tied()) {
            add("lm_head.weight", 0, header.vocabulary(), dim);
        }
    }

    private void layers(String module, int heads, long... shape) {
        for (int layer = 0; layer < header.layers(); layer++) {
            add("model.layers." + layer + "." + module + ".weight", heads, shape);
        }
    }

    private void add(String name, int heads, long... shape) {
        Piece piece = new Piece(end, shape, heads);
        pieces.put(name, piece);
        end += piece.count() * Float.BYTES;
    }

    /** The same facts as a Hugging Face {@code config.json}. */
    public ModelConfig config() {
        ObjectNode json = JsonNodeFactory.instance.objectNode();
        json.put("model_type", "llama");
        json.put("hidden_size", header.dim());
        json.put("intermediate_size", header.hidden());
        json.put("num_hidden_layers", header.layers());
        json.put("num_attention_heads", header.heads());
        json.put("num_key_value_heads", header.keyHeads());
        json.put("vocab_size", header.vocabulary());
        json.put("max_position_embeddings", header.context());
        json.put("tie_word_embeddings", header.tied());
        json.put("rms_norm_eps", 1e-5);
        json.put("rope_theta", 10000.0);
        return new ModelConfig(json, path.toString());
    }

    @Override
    public Map<String, String> metadata() {
        return Map.of();
    }

    @Override
    public SequencedSet<String> names() {
        return Collections.unmodifiableSequencedSet(pieces.sequencedKeySet());
    }

    @Override
    public TensorInfo info(String name) {
        Piece piece = piece(name);
        return new TensorInfo("F32", piece.shape(), piece.count() * Float.BYTES);
    }

    @Override
    public Tensor read(String name) {
        Piece piece = piece(name);
        float[] values = new float[Math.toIntExact(piece.count())];
        try (Scope scope = Scope.open()) {
            bytes(piece.offset(), values.length * Float.BYTES).asFloatBuffer().get(values);
            Tensor tensor = Tensors.of(values, piece.shape());
            return scope.keep(piece.heads() == 0 ? tensor : halfSplit(tensor, piece));
        } catch (IOException e) {
            throw failed(path, e);
        }
    }

    /** Row {@code 2i + j} of each head to row {@code j * d/2 + i}. */
    private static Tensor halfSplit(Tensor matrix, Piece piece) {
        long width = piece.shape()[1];
        return matrix.view(piece.heads(), -1, 2, width).transpose(1, 2).reshape(piece.shape());
    }

    private Piece piece(String name) {
        Piece piece = pieces.get(name);
        if (piece == null) {
            throw new LoricaException.NotFound(path + " has no tensor '" + name + "'");
        }
        return piece;
    }

    private ByteBuffer bytes(long offset, int count) throws IOException {
        ByteBuffer buffer = ByteBuffer.allocate(count).order(ByteOrder.LITTLE_ENDIAN);
        while (buffer.hasRemaining()) {
            if (channel.read(buffer, offset + buffer.position()) < 0) {
                throw new LoricaException.BadInput(
                        path + " ends before byte " + (offset + count) + "; it is cut off or no llama2.c model");
            }
        }
        return buffer.flip();
    }

    @Override
    public void close() {
        close(channel, path);
    }

    private static void close(FileChannel channel, Path path) {
        try {
            channel.close();
        } catch (IOException e) {
            throw failed(path, e);
        }
    }

    private static LoricaException failed(Path path, IOException e) {
        return new LoricaException.Internal(path + " could not be read: " + e.getMessage(), e);
    }
}
