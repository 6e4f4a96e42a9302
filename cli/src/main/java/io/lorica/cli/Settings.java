package io.lorica.cli;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.fasterxml.jackson.databind.node.TextNode;
import com.fasterxml.jackson.dataformat.yaml.YAMLMapper;
import io.lorica.tensor.LoricaException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/** Settings from a YAML file and from {@code --set key=value}; the latter win. */
final class Settings {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final YAMLMapper YAML = new YAMLMapper();
    /** YAML 1.1 takes {@code 1e-4}, without a point, for a text. */
    private static final Pattern EXPONENT = Pattern.compile("[-+]?\\d+(\\.\\d*)?[eE][-+]?\\d+");

    private Settings() {}

    /** @param file null where there is none */
    static ObjectNode read(@Nullable Path file, List<String> assignments) {
        ObjectNode settings = file == null ? JsonNodeFactory.instance.objectNode() : file(file);
        for (String assignment : assignments) {
            int equals = assignment.indexOf('=');
            if (equals <= 0) {
                throw new LoricaException.BadInput(
                        "--set '" + assignment + "' is not key=value, for example --set learning_rate=1e-4");
            }
            settings.set(
                    assignment.substring(0, equals).strip(),
                    value(assignment.substring(equals + 1).strip()));
        }
        return settings;
    }

    private static ObjectNode file(Path file) {
        if (!Files.isRegularFile(file)) {
            throw new LoricaException.NotFound("the configuration " + file + " does not exist");
        }
        try {
            JsonNode tree = YAML.readTree(file.toFile());
            if (!(tree instanceof ObjectNode object)) {
                throw new LoricaException.BadInput(file + ": must hold lines of the form 'key: value'");
            }
            return numbers(object);
        } catch (IOException e) {
            throw new LoricaException.BadInput(file + ": is not YAML: " + e.getMessage(), e);
        }
    }

    /** Puts numbers where the object holds texts that are such. */
    static ObjectNode numbers(ObjectNode object) {
        for (Map.Entry<String, JsonNode> entry : List.copyOf(object.properties())) {
            object.set(entry.getKey(), number(entry.getValue()));
        }
        return object;
    }

    /** JSON where it is JSON ({@code true}, {@code 1e-4}, {@code ["q_proj"]}), else YAML ({@code [q_proj, v_proj]}, text). */
    private static JsonNode value(String text) {
        try {
            return JSON.readTree(text.isEmpty() ? "\"\"" : text);
        } catch (JsonProcessingException _) {
            try {
                return number(YAML.readTree(text));
            } catch (JsonProcessingException _) {
                return TextNode.valueOf(text); // a regular expression may be no YAML
            }
        }
    }

    private static JsonNode number(JsonNode node) {
        boolean exponent =
                node.isTextual() && EXPONENT.matcher(node.textValue()).matches();
        return exponent ? JsonNodeFactory.instance.numberNode(Double.parseDouble(node.textValue())) : node;
    }

    /** Takes a text out of the settings, for what an option may also give. */
    static @Nullable String take(ObjectNode settings, String key) {
        JsonNode node = settings.remove(key);
        return node == null || node.isNull() ? null : node.asText();
    }
}
