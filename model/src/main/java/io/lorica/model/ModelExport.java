package io.lorica.model;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.lorica.tensor.AtomicFile;
import io.lorica.tensor.DType;
import io.lorica.tensor.LoricaException;
import io.lorica.tensor.SafetensorsFile;
import io.lorica.tensor.Scope;
import io.lorica.tensor.TensorSource;
import io.lorica.tensor.Tensors;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.SequencedMap;
import java.util.function.Supplier;
import java.util.stream.Stream;
import org.bytedeco.pytorch.Tensor;

/**
 * Writes a model as a Hugging Face directory that transformers loads: {@code config.json},
 * {@code generation_config.json}, the tokenizer's files with the chat template, and {@code model.safetensors}, above
 * 5 GB in shards with an index. Weights that are not floating-point keep their type.
 */
public final class ModelExport {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final long SHARD_BYTES = 5_000_000_000L;
    private static final Map<String, String> METADATA = Map.of("format", "pt");

    private ModelExport() {}

    /** One weight to be written. */
    private record Item(String name, long bytes, Supplier<Tensor> tensor) {}

    /** Writes a model's files as they are stored, whatever they are stored in. */
    public static void toDirectory(ModelFiles files, Path directory, DType dtype) {
        toDirectory(files, directory, dtype, SHARD_BYTES);
    }

    static void toDirectory(ModelFiles files, Path directory, DType dtype, long shardBytes) {
        prepare(directory, dtype);
        try (TensorSource source = files.tensors()) {
            writeWeights(items(source, dtype), directory, dtype, shardBytes);
        }
        writeDescription(files, directory, dtype);
    }

    /** Writes the weights alone, in one file. */
    static void writeWeights(ModelFiles files, Path file, DType dtype, Map<String, String> metadata) {
        try (TensorSource source = files.tensors()) {
            write(items(source, dtype), file, dtype, metadata);
        }
    }

    private static List<Item> items(TensorSource source, DType dtype) {
        List<Item> items = new ArrayList<>();
        for (String name : source.names()) {
            long count = 1;
            for (long size : source.info(name).shape()) {
                count *= size;
            }
            items.add(new Item(name, count * dtype.bytes(), () -> source.read(name)));
        }
        return items;
    }

    /** Writes a loaded model with the weights now in force, merged adapters included. */
    public static void toDirectory(Pretrained pretrained, Path directory, DType dtype) {
        prepare(directory, dtype);
        List<Item> items = new ArrayList<>();
        pretrained.model().parameters().forEach((name, parameter) -> {
            long bytes = Arrays.stream(parameter.shape()).reduce(dtype.bytes(), Math::multiplyExact);
            items.add(new Item(name, bytes, parameter::value));
        });
        writeWeights(items, directory, dtype, SHARD_BYTES);
        writeDescription(pretrained.files(), directory, dtype);
    }

    private static void prepare(Path directory, DType dtype) {
        switch (dtype) {
            case F32, F16, BF16 -> {}
            default ->
                throw new LoricaException.BadInput("models are exported as float32, bfloat16 or float16, not " + dtype);
        }
        try {
            Files.createDirectories(directory);
            try (Stream<Path> present = Files.list(directory)) {
                if (present.findAny().isPresent()) {
                    throw new LoricaException.BadInput("the directory " + directory
                            + " is not empty; name a new one, so that no files of two models are mixed");
                }
            }
        } catch (IOException e) {
            throw new LoricaException.Internal("cannot write " + directory + ": " + e, e);
        }
    }

    private static void writeWeights(List<Item> items, Path directory, DType dtype, long shardBytes) {
        List<List<Item>> shards = shards(items, shardBytes);
        if (shards.size() == 1) {
            write(shards.getFirst(), directory.resolve("model.safetensors"), dtype, METADATA);
            return;
        }
        ObjectNode index = JSON.createObjectNode();
        index.putObject("metadata")
                .put("total_size", items.stream().mapToLong(Item::bytes).sum());
        ObjectNode map = index.putObject("weight_map");
        for (int i = 0; i < shards.size(); i++) {
            String file = String.format(Locale.ROOT, "model-%05d-of-%05d.safetensors", i + 1, shards.size());
            write(shards.get(i), directory.resolve(file), dtype, METADATA);
            shards.get(i).forEach(item -> map.put(item.name(), file));
        }
        AtomicFile.writeString(directory.resolve("model.safetensors.index.json"), index.toPrettyString() + "\n");
    }

    private static List<List<Item>> shards(List<Item> items, long shardBytes) {
        List<List<Item>> shards = new ArrayList<>();
        List<Item> shard = new ArrayList<>();
        long bytes = 0;
        for (Item item : items) {
            if (!shard.isEmpty() && bytes + item.bytes() > shardBytes) {
                shards.add(shard);
                shard = new ArrayList<>();
                bytes = 0;
            }
            shard.add(item);
            bytes += item.bytes();
        }
        shards.add(shard);
        return shards;
    }

    private static void write(List<Item> items, Path file, DType dtype, Map<String, String> metadata) {
        try (Scope _ = Scope.open()) {
            SequencedMap<String, Tensor> tensors = new LinkedHashMap<>();
            for (Item item : items) {
                tensors.put(item.name(), converted(item, dtype));
            }
            SafetensorsFile.write(file, tensors, metadata);
        }
    }

    /** Leaves no trace of what the conversion went through, so that a shard takes its own size and no more. */
    private static Tensor converted(Item item, DType dtype) {
        try (Scope scope = Scope.open()) {
            Tensor tensor = item.tensor().get();
            return scope.keep(DType.of(tensor).isFloat() ? Tensors.to(tensor, dtype) : tensor);
        }
    }

    private static void writeDescription(ModelFiles files, Path directory, DType dtype) {
        ObjectNode config = files.config().json().deepCopy();
        String name = switch (dtype) {
            case BF16 -> "bfloat16";
            case F16 -> "float16";
            default -> "float32";
        };
        // transformers 5 writes "dtype" and still reads "torch_dtype", which is all that version 4 knows.
        config.remove("dtype");
        config.put("torch_dtype", name);
        if (!files.generation().isEmpty()) {
            AtomicFile.writeString(
                    directory.resolve("generation_config.json"),
                    files.generation().toPrettyString() + "\n");
        }
        files.writeTokenizer(directory);
        // Last, since a directory is a model once it has its configuration.
        AtomicFile.writeString(directory.resolve("config.json"), config.toPrettyString() + "\n");
    }
}
