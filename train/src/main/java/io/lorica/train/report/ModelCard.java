package io.lorica.train.report;

import io.lorica.tensor.AtomicFile;
import java.nio.file.Path;
import java.util.SequencedMap;

/**
 * The {@code README.md} of a run: what it is, from which base and data, with which settings and results, and how to use
 * it.
 *
 * @param title the adapter's name
 * @param base reference of the base model
 * @param fingerprint of the base's weights
 * @param data the training file
 * @param dataHash SHA-256 of its rows
 * @param settings by key, as a configuration file has them
 * @param results by name, formatted
 */
public record ModelCard(
        String title,
        String base,
        String fingerprint,
        String data,
        String dataHash,
        SequencedMap<String, String> settings,
        SequencedMap<String, String> results) {

    public String markdown() {
        Table facts = new Table("what", "value")
                .row("base model", code(base))
                .row("fingerprint of the base's weights", code(fingerprint))
                .row("training data", code(data))
                .row("SHA-256 of its rows", code(dataHash));
        return """
                ---
                base_model: "%s"
                library_name: peft
                tags: [lorica, lora]
                ---
                # %s

                A low-rank adapter trained with Lorica. It acts only together with its base model, whose weights it does
                not hold.

                %s

                ## Results

                %s

                ## Settings

                %s

                ## Use

                ```
                lorica generate --model %s --adapter . --prompt "…"
                ```

                The files `adapter_config.json` and `adapter_model.safetensors` are in the layout of Hugging Face PEFT.
                """.formatted(
                        base.replace("\\", "\\\\").replace("\"", "\\\""),
                        title,
                        facts.markdown(),
                        pairs("measure", results),
                        pairs("setting", settings),
                        base);
    }

    public void write(Path file) {
        AtomicFile.writeString(file, markdown());
    }

    private static String pairs(String head, SequencedMap<String, String> values) {
        Table table = new Table(head, "value");
        values.forEach((name, value) -> table.row(code(name), value));
        return table.markdown();
    }

    private static String code(String text) {
        return "`" + text.replace("`", "'") + "`";
    }
}
