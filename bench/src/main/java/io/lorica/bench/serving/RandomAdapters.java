package io.lorica.bench.serving;

import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.lorica.adapter.Adapter;
import io.lorica.adapter.AdapterConfig;
import io.lorica.adapter.GgufAdapter;
import io.lorica.model.BaseModel;
import io.lorica.tensor.DType;
import io.lorica.tensor.LoricaException;
import io.lorica.tensor.Seed;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;

/**
 * Adapters with random factors on the attention's projections, as S-LoRA serves: ranks 64, 32, 16, 8 in turn (the paper's
 * setting S2). Each is a PEFT folder {@code adapters/a0, a1 …} and a file {@code gguf/a0.gguf …} for llama.cpp.
 *
 * <p>After the first {@value #DISTINCT} the files are hard links to those of the first ones: to a server these are other
 * adapters, and the disk need not hold them all.
 */
final class RandomAdapters {
    static final int DISTINCT = 200;
    private static final int[] RANKS = {64, 32, 16, 8};

    private final String base;
    private final Path folders;
    private final Path ggufs;

    private RandomAdapters(String base, Path directory) {
        this.base = base;
        folders = directory.resolve("adapters");
        ggufs = directory.resolve("gguf");
    }

    /** @param base what their configurations call the model */
    static RandomAdapters create(BaseModel model, String base, Path directory, int count) {
        RandomAdapters adapters = new RandomAdapters(base, directory);
        try {
            Files.createDirectories(adapters.folders);
            Files.createDirectories(adapters.ggufs);
            for (int i = 0; i < count; i++) {
                if (Files.exists(adapters.gguf(i))) {
                    continue; // from an earlier run
                }
                if (i < DISTINCT) {
                    adapters.write(model, i);
                } else {
                    adapters.link(i % DISTINCT, i);
                }
            }
            return adapters;
        } catch (IOException e) {
            throw new LoricaException.Internal("the adapters to serve could not be written: " + e.getMessage(), e);
        }
    }

    private void write(BaseModel model, int i) {
        int rank = RANKS[i % RANKS.length];
        ObjectNode settings = JsonNodeFactory.instance
                .objectNode()
                .put("r", rank)
                .put("lora_alpha", rank)
                .put("init_lora_weights", false);
        settings.putArray("target_modules")
                .add("q_proj")
                .add("k_proj")
                .add("v_proj")
                .add("o_proj");
        AdapterConfig config = AdapterConfig.of("lora", settings).withBaseModel(base);
        try (Adapter adapter = Adapter.create(model, config, new Seed(i))) {
            adapter.save(folders.resolve(name(i)));
            GgufAdapter.write(adapter, gguf(i), DType.F32);
        }
    }

    private void link(int from, int to) throws IOException {
        Path folder = Files.createDirectory(folders.resolve(name(to)));
        try (Stream<Path> files = Files.list(folders.resolve(name(from)))) {
            for (Path file : files.toList()) {
                Files.createLink(folder.resolve(file.getFileName()), file);
            }
        }
        Files.createLink(gguf(to), gguf(from));
    }

    static String name(int i) {
        return "a" + i;
    }

    /** One PEFT folder each. */
    Path folders() {
        return folders;
    }

    private Path gguf(int i) {
        return ggufs.resolve(name(i) + ".gguf");
    }

    List<String> ggufs(int count) {
        List<String> files = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            files.add(gguf(i).toString());
        }
        return files;
    }
}
