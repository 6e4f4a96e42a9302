package io.lorica.train.report;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.lorica.tensor.LoricaException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/**
 * {@code metrics.jsonl}: one JSON object a line, handed to the system as it is written, so that a killed run leaves all
 * but at most the line in flight. Lines have {@code step} and any of {@code train_loss}, {@code eval_loss},
 * {@code learning_rate}, {@code tokens_per_second} and the like.
 */
public final class MetricsLog implements AutoCloseable {
    private static final ObjectMapper JSON = new ObjectMapper();

    private final Path file;
    private final FileChannel channel;

    private MetricsLog(Path file, FileChannel channel) {
        this.file = file;
        this.channel = channel;
    }

    /** Starts an empty log; an old one is replaced. */
    public static MetricsLog create(Path file) {
        return open(file, "");
    }

    /**
     * Continues a log after a checkpoint: a torn last line goes, and so do lines of steps after {@code step}, which
     * will be done again.
     */
    public static MetricsLog resume(Path file, long step) {
        StringBuilder kept = new StringBuilder();
        if (Files.exists(file)) {
            for (ObjectNode line : read(file)) {
                if (line.path("step").asLong() <= step) {
                    kept.append(line).append('\n');
                }
            }
        }
        return open(file, kept.toString());
    }

    /**
     * The lines of a log.
     *
     * @throws LoricaException.BadInput when a line other than a torn last one is broken
     */
    public static List<ObjectNode> read(Path file) {
        List<ObjectNode> all = new ArrayList<>();
        String text = content(file);
        List<String> lines = text.lines().toList();
        for (int i = 0; i < lines.size(); i++) {
            boolean torn = i == lines.size() - 1 && !text.endsWith("\n");
            try {
                JsonNode node = JSON.readTree(lines.get(i));
                if (!torn && node instanceof ObjectNode object) {
                    all.add(object);
                } else if (!torn) {
                    throw broken(file, i + 1);
                }
            } catch (JsonProcessingException e) {
                if (!torn) {
                    throw broken(file, i + 1);
                }
            }
        }
        return all;
    }

    /** Writes one line. Numbers that are not finite become null. */
    public void write(long step, Map<String, ? extends Number> values) {
        ObjectNode line = JSON.createObjectNode().put("step", step);
        values.forEach((name, value) -> {
            if (!Double.isFinite(value.doubleValue())) {
                line.putNull(name);
            } else if (value instanceof Long || value instanceof Integer) {
                line.put(name, value.longValue());
            } else {
                line.put(name, value.doubleValue());
            }
        });
        append(line + "\n");
    }

    private void append(String text) {
        try {
            ByteBuffer bytes = ByteBuffer.wrap(text.getBytes(StandardCharsets.UTF_8));
            while (bytes.hasRemaining()) {
                channel.write(bytes);
            }
        } catch (IOException e) {
            throw new LoricaException.Internal(file + " cannot be written: " + e.getMessage(), e);
        }
    }

    private static MetricsLog open(Path file, String content) {
        io.lorica.tensor.AtomicFile.writeString(file, content);
        try {
            return new MetricsLog(file, FileChannel.open(file, StandardOpenOption.WRITE, StandardOpenOption.APPEND));
        } catch (IOException e) {
            throw new LoricaException.Internal(file + " cannot be written: " + e.getMessage(), e);
        }
    }

    private static LoricaException.BadInput broken(Path file, int line) {
        return new LoricaException.BadInput(
                file + ", line " + line + ": not a JSON object; remove the line or start a new run");
    }

    private static String content(Path file) {
        try {
            return Files.readString(file);
        } catch (IOException e) {
            throw new LoricaException.Internal(file + " cannot be read: " + e.getMessage(), e);
        }
    }

    /** Syncs to disk and closes. */
    @Override
    public void close() {
        try (channel) {
            channel.force(true);
        } catch (IOException e) {
            throw new LoricaException.Internal(file + " cannot be written: " + e.getMessage(), e);
        }
    }
}
