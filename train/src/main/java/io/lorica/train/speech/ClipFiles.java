package io.lorica.train.speech;

import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.lorica.tensor.AtomicFile;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.stream.Collectors;

/** Clips as files that {@code lorica train} and {@code lorica eval} read. */
final class ClipFiles {
    private ClipFiles() {}

    /** {@code name/0000.wav}, {@code name/0000.tiff} and so on, and {@code name.jsonl} with a row for each. */
    static void write(List<DigitClip> clips, Path directory, String name) {
        StringBuilder rows = new StringBuilder();
        for (int i = 0; i < clips.size(); i++) {
            DigitClip clip = clips.get(i);
            String file = String.format(Locale.ROOT, "%s/%04d", name, i);
            clip.sound().write(directory.resolve(file + ".wav"));
            clip.film().write(directory.resolve(file + ".tiff"));
            ObjectNode row = JsonNodeFactory.instance.objectNode();
            row.put("audio", file + ".wav").put("video", file + ".tiff").put("prompt", "");
            row.put(
                    "completion",
                    Arrays.stream(clip.digits()).mapToObj(Integer::toString).collect(Collectors.joining(" ")));
            rows.append(row).append('\n');
        }
        AtomicFile.writeString(directory.resolve(name + ".jsonl"), rows.toString());
    }
}
