package io.lorica.model;

import com.fasterxml.jackson.databind.JsonNode;
import io.lorica.tensor.LoricaException;
import java.util.BitSet;
import java.util.HashMap;
import java.util.Map;
import java.util.OptionalLong;

/** The tokens of a {@code tokenizer.json} by name and by id. */
final class Vocabulary {
    private final Map<String, Integer> ids = new HashMap<>();
    private final Map<Integer, String> tokens = new HashMap<>();
    private final BitSet special = new BitSet();
    private int size;

    private Vocabulary() {}

    static Vocabulary of(TokenizerFiles files) {
        Vocabulary result = new Vocabulary();
        JsonNode vocab = files.tokenizer().path("model").path("vocab");
        if (vocab.isObject()) {
            vocab.properties().forEach(entry -> result.add(entry.getKey(), entry.getValue(), files.where()));
        } else if (vocab.isArray()) {
            for (int i = 0; i < vocab.size(); i++) { // Unigram: [piece, score] in the order of ids
                result.add(vocab.get(i).path(0).asText(), i);
            }
        } else {
            throw new LoricaException.BadInput(files.where() + ": key 'model.vocab' is missing or no object or list");
        }
        for (JsonNode added : files.tokenizer().path("added_tokens")) {
            result.add(added.path("content").asText(), added.path("id"), files.where());
            if (added.path("special").asBoolean()) {
                result.special.set(added.path("id").asInt());
            }
        }
        return result;
    }

    private void add(String token, JsonNode id, String where) {
        if (!id.canConvertToInt() || id.intValue() < 0) {
            throw new LoricaException.BadInput(where + ": token '" + token + "' has id " + id + ", not a whole number");
        }
        add(token, id.intValue());
    }

    private void add(String token, int id) {
        ids.put(token, id);
        tokens.put(id, token);
        size = Math.max(size, id + 1);
    }

    OptionalLong id(String token) {
        Integer id = ids.get(token);
        return id == null ? OptionalLong.empty() : OptionalLong.of(id);
    }

    String token(long id) {
        check(id);
        return tokens.getOrDefault((int) id, "");
    }

    void check(long id) {
        if (id < 0 || id > Integer.MAX_VALUE) {
            throw new LoricaException.BadInput("token id " + id + " is outside the vocabulary of " + size + " tokens");
        }
    }

    boolean isSpecial(long id) {
        return id >= 0 && id < size && special.get((int) id);
    }

    int size() {
        return size;
    }
}
