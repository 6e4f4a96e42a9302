package io.lorica.model;

import io.lorica.tensor.AtomicFile;
import io.lorica.tensor.Hashing;
import io.lorica.tensor.LoricaException;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;

/**
 * A small model among Lorica's own resources, unpacked because weights are mapped from files. The cache directory is
 * named by the contents, so that a newer Lorica never meets an older one's weights.
 */
final class BuiltInSource implements ModelSource {
    private final Catalogue.BuiltIn source;
    private final Path cache;

    BuiltInSource(Catalogue.BuiltIn source, Path home) {
        this.source = source;
        this.cache = home.resolve("builtin");
    }

    @Override
    public String label() {
        return "the built-in models";
    }

    @Override
    public Optional<Path> cached() {
        // Unpacking is as quick as checking what was unpacked.
        return Optional.empty();
    }

    @Override
    public Path fetch(FetchListener listener) {
        Map<String, byte[]> files = read();
        String name = source.directory().substring(source.directory().lastIndexOf('/') + 1);
        Path directory = cache.resolve(name + "-" + digest(files).substring(0, 16));
        files.forEach((file, bytes) -> {
            Path target = directory.resolve(file);
            if (!sameSize(target, bytes.length)) {
                AtomicFile.write(target, channel -> {
                    ByteBuffer buffer = ByteBuffer.wrap(bytes);
                    while (buffer.hasRemaining()) {
                        channel.write(buffer);
                    }
                });
            }
        });
        return directory;
    }

    private Map<String, byte[]> read() {
        Map<String, byte[]> files = new LinkedHashMap<>();
        for (String file : source.files()) {
            try (InputStream in = BuiltInSource.class.getResourceAsStream(source.directory() + "/" + file)) {
                if (in != null) {
                    files.put(file, in.readAllBytes());
                }
            } catch (IOException e) {
                throw new LoricaException.Internal("cannot read " + source.directory() + "/" + file + ": " + e, e);
            }
        }
        if (!files.containsKey("config.json") || !files.containsKey("model.safetensors")) {
            throw new LoricaException.NotFound("this build of Lorica carries no model in " + source.directory()
                    + " (config.json and model.safetensors are needed); use another model");
        }
        return files;
    }

    private static String digest(Map<String, byte[]> files) {
        Hashing hashing = new Hashing();
        files.forEach((file, bytes) -> hashing.add(file).add(new String(bytes, StandardCharsets.ISO_8859_1)));
        return hashing.hex();
    }

    private static boolean sameSize(Path file, long bytes) {
        try {
            return Files.exists(file) && Files.size(file) == bytes;
        } catch (IOException _) {
            return false; // unreadable: written again, which reports what is wrong
        }
    }
}
