package io.lorica.tensor;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.StreamReadFeature;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.SequencedMap;
import java.util.SequencedSet;
import java.util.TreeSet;
import org.bytedeco.pytorch.Tensor;

/**
 * Tensors spread over several safetensors files by an index ({@code model.safetensors.index.json}): its
 * {@code weight_map} gives the file of each tensor. All shards are opened and compared with the index before anything is
 * read; tensors that the index does not name are not part of the model.
 */
public final class ShardedSafetensors implements TensorSource {
    private static final long MAX_INDEX_BYTES = 100_000_000;
    private static final String ADVICE = "fetch the missing or damaged files again, or mend the index";
    private static final JsonMapper JSON = JsonMapper.builder()
            .enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION)
            .enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS)
            .build();

    private final Path index;
    private final SequencedMap<String, String> metadata = new LinkedHashMap<>();
    private final SequencedMap<String, String> weightMap = new LinkedHashMap<>();
    private final Map<String, TensorSource> shards = new LinkedHashMap<>();

    private ShardedSafetensors(Path index) {
        this.index = index;
    }

    /**
     * Opens every shard that an index names.
     *
     * @throws LoricaException.BadInput if the index or a shard is not sound, a shard is missing or lies elsewhere, or
     *     the index names tensors that a shard lacks
     */
    public static TensorSource open(Path index) {
        ShardedSafetensors source = new ShardedSafetensors(index);
        try {
            source.parse();
            source.openShards();
            return source;
        } catch (Throwable e) {
            source.close();
            throw e;
        }
    }

    private void parse() {
        JsonNode root = readIndex();
        Faults faults = new Faults(index);
        JsonNode map = root.path("weight_map");
        if (!map.isObject() || map.isEmpty()) {
            throw Faults.fatal(index, "has no weight_map", ADVICE);
        }
        map.properties().forEach(entry -> {
            if (!entry.getValue().isTextual()) {
                faults.add("weight_map." + Faults.quote(entry.getKey()) + " is not the name of a file");
            } else {
                weightMap.put(entry.getKey(), entry.getValue().textValue());
            }
        });
        for (String shard : new TreeSet<>(weightMap.values())) {
            if (!isPlainName(shard)) {
                faults.add("shard " + Faults.quote(shard) + " is not a plain file name ending in .safetensors");
            } else if (!Files.isRegularFile(index.resolveSibling(shard))) {
                faults.add("shard " + Faults.quote(shard) + " does not exist beside the index");
            }
        }
        faults.throwIfAny(ADVICE);
        root.path("metadata").properties().forEach(entry -> {
            if (entry.getValue().isValueNode()) {
                metadata.put(entry.getKey(), entry.getValue().asText());
            }
        });
    }

    private JsonNode readIndex() {
        try {
            if (Files.size(index) > MAX_INDEX_BYTES) {
                throw Faults.fatal(index, "has " + Files.size(index) + " bytes, too many for an index", ADVICE);
            }
            return JSON.readTree(Files.readString(index));
        } catch (NoSuchFileException e) {
            throw new LoricaException.NotFound(index + " does not exist; check the path");
        } catch (JsonProcessingException e) {
            throw Faults.fatal(index, "is not valid JSON: " + Faults.quote(e.getOriginalMessage()), ADVICE);
        } catch (IOException e) {
            throw Faults.fatal(index, "cannot be read as UTF-8 text (" + e + ")", ADVICE);
        }
    }

    /** A shard lies beside its index: no separators, no drive letters, no parents. */
    private static boolean isPlainName(String shard) {
        return shard.endsWith(".safetensors")
                && shard.length() <= 255
                && shard.chars().noneMatch(c -> c == '/' || c == '\\' || c == ':' || Character.isISOControl(c));
    }

    private void openShards() {
        for (String shard : weightMap.values()) {
            if (!shards.containsKey(shard)) {
                TensorSource opened = SafetensorsFile.open(index.resolveSibling(shard));
                shards.put(shard, opened);
                opened.metadata().forEach(metadata::putIfAbsent);
            }
        }
        Faults faults = new Faults(index);
        weightMap.forEach((name, shard) -> {
            if (!shard(shard).names().contains(name)) {
                faults.add("tensor " + Faults.quote(name) + " is not in " + shard + " as weight_map says");
            }
        });
        faults.throwIfAny(ADVICE);
    }

    private TensorSource shard(String name) {
        TensorSource shard = shards.get(name);
        if (shard == null) {
            throw new LoricaException.Internal(index + " was read after it was closed");
        }
        return shard;
    }

    private TensorSource holder(String name) {
        String shard = weightMap.get(name);
        if (shard == null) {
            throw TensorFiles.noSuchTensor(index, name, weightMap.keySet());
        }
        return shard(shard);
    }

    @Override
    public Map<String, String> metadata() {
        return Collections.unmodifiableMap(metadata);
    }

    @Override
    public SequencedSet<String> names() {
        return Collections.unmodifiableSequencedMap(weightMap).sequencedKeySet();
    }

    @Override
    public TensorInfo info(String name) {
        return holder(name).info(name);
    }

    @Override
    public Tensor read(String name) {
        return holder(name).read(name);
    }

    @Override
    public void unload() {
        shards.values().forEach(TensorSource::unload);
    }

    @Override
    public void close() {
        shards.values().forEach(TensorSource::close);
        shards.clear();
    }
}
