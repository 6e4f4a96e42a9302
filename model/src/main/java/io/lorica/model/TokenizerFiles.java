package io.lorica.model;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.lorica.tensor.LoricaException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.SequencedSet;

/**
 * The files that together describe a tokenizer.
 *
 * @param tokenizerJson {@code tokenizer.json} as read
 * @param tokenizer the same, parsed
 * @param config {@code tokenizer_config.json}, completed from {@code special_tokens_map.json} and
 *     {@code chat_template.jinja}
 * @param generation {@code generation_config.json}, or an empty object
 * @param where the directory, for messages
 */
record TokenizerFiles(
        String tokenizerJson, ObjectNode tokenizer, ObjectNode config, ObjectNode generation, String where) {
    static final String TOKENIZER = "tokenizer.json";
    static final String CONFIG = "tokenizer_config.json";
    private static final String TEMPLATE = "chat_template";
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final List<String> SPECIAL_KEYS =
            List.of("bos_token", "eos_token", "unk_token", "pad_token", "sep_token", "cls_token", "mask_token");

    static TokenizerFiles of(String tokenizerJson, ObjectNode config) {
        return new TokenizerFiles(
                tokenizerJson, object(tokenizerJson, TOKENIZER), config.deepCopy(), JSON.createObjectNode(), TOKENIZER);
    }

    static TokenizerFiles read(Path directory) {
        String json = text(directory.resolve(TOKENIZER))
                .orElseThrow(() -> new LoricaException.NotFound(directory
                        + " has no tokenizer.json; convert the tokenizer with AutoTokenizer(...).save_pretrained"
                        + " or take a directory that has one"));
        ObjectNode config = optional(directory.resolve(CONFIG));
        ObjectNode map = optional(directory.resolve("special_tokens_map.json"));
        map.properties().forEach(entry -> config.putIfAbsent(entry.getKey(), entry.getValue()));
        text(directory.resolve("chat_template.jinja")).ifPresent(template -> config.put(TEMPLATE, template));
        return new TokenizerFiles(
                json,
                object(json, directory.resolve(TOKENIZER).toString()),
                config,
                optional(directory.resolve("generation_config.json")),
                directory.toString());
    }

    /** {@code tokenizer.json} with the lengths left to the caller. */
    String withoutTruncation() {
        if (!tokenizer.hasNonNull("truncation") && !tokenizer.hasNonNull("padding")) {
            return tokenizerJson;
        }
        ObjectNode copy = tokenizer.deepCopy();
        copy.putNull("truncation");
        copy.putNull("padding");
        return copy.toString();
    }

    String configText() {
        return config.toPrettyString() + "\n";
    }

    /** A special token's text: {@code "eos_token": "</s>"} or {@code {"content": "</s>", ...}}. */
    Optional<String> special(String key) {
        JsonNode node = config.path(key);
        JsonNode text = node.isObject() ? node.path("content") : node;
        return text.isTextual() ? Optional.of(text.textValue()) : Optional.empty();
    }

    Map<String, String> specialTokens() {
        Map<String, String> result = new LinkedHashMap<>();
        SPECIAL_KEYS.forEach(key -> special(key).ifPresent(text -> result.put(key, text)));
        return result;
    }

    SequencedSet<Long> endIds(OptionalLong eos, OptionalLong endOfTurn) {
        SequencedSet<Long> ids = new LinkedHashSet<>();
        eos.ifPresent(ids::add);
        endOfTurn.ifPresent(ids::add);
        JsonNode listed = generation.path("eos_token_id");
        if (listed.isIntegralNumber()) {
            ids.add(listed.longValue());
        }
        listed.forEach(id -> ids.add(id.longValue()));
        return ids;
    }

    /** The template itself, or the one called "default" of several. */
    Optional<String> chatTemplate() {
        JsonNode node = config.path(TEMPLATE);
        for (JsonNode named : node.isArray() ? node : JSON.createArrayNode()) {
            if (named.path("name").asText().equals("default")) {
                return Optional.of(named.path("template").asText());
            }
        }
        return node.isTextual() ? Optional.of(node.textValue()) : Optional.empty();
    }

    private static ObjectNode optional(Path file) {
        return text(file).map(json -> object(json, file.toString())).orElseGet(JSON::createObjectNode);
    }

    private static Optional<String> text(Path file) {
        try {
            return Files.exists(file) ? Optional.of(Files.readString(file)) : Optional.empty();
        } catch (IOException e) {
            throw new LoricaException.BadInput(file + " cannot be read as UTF-8 text: " + e.getMessage(), e);
        }
    }

    private static ObjectNode object(String json, String where) {
        try {
            if (JSON.readTree(json) instanceof ObjectNode object) {
                return object;
            }
            throw new LoricaException.BadInput(where + " holds no JSON object; a tokenizer file is one");
        } catch (JsonProcessingException e) {
            throw new LoricaException.BadInput(where + " is no valid JSON: " + e.getOriginalMessage(), e);
        }
    }
}
