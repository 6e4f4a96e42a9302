package io.lorica.model;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.lorica.tensor.LoricaException;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * Rebuilds the Hugging Face tokenizer that a GGUF file describes in its metadata: byte-level BPE
 * ({@code tokenizer.ggml.model} is {@code gpt2}) and SentencePiece BPE ({@code llama}).
 *
 * <p>GGUF states only the name of the split into words ({@code tokenizer.ggml.pre}); {@link GgufPreTokenizer} knows what
 * the names mean. A name it does not know is refused, since a wrong split gives wrong tokens without any sign.
 */
public final class GgufTokenizer {
    private static final String PREFIX = "tokenizer.ggml.";
    private static final long UNKNOWN = 2;
    private static final long CONTROL = 3;
    private static final long USER_DEFINED = 4;

    private final Map<String, ?> values;
    private final String where;
    private final List<String> tokens;
    private final Map<String, Integer> vocabulary = new LinkedHashMap<>();

    private GgufTokenizer(Map<String, ?> values, String where) {
        this.values = values;
        this.where = where;
        tokens = texts("tokens");
        for (String token : tokens) {
            if (vocabulary.putIfAbsent(token, vocabulary.size()) != null) {
                throw new LoricaException.BadInput(where + ": token '" + token + "' (id " + vocabulary.size()
                        + ") is listed twice in " + PREFIX + "tokens; the file is damaged");
            }
        }
    }

    /**
     * @param values the file's metadata, whole numbers as {@link Long} or {@link Integer}, arrays as {@link List}
     * @param where the file, for messages
     */
    public static TokenizerDefinition convert(Map<String, ?> values, String where) {
        GgufTokenizer source = new GgufTokenizer(values, where);
        String model = source.text("model").orElseThrow(() -> source.missing("model"));
        ObjectNode document = switch (model) {
            case "gpt2" -> source.byteLevel();
            case "llama" -> source.sentencePiece();
            default ->
                throw new LoricaException.Unsupported(where + ": tokenizer.ggml.model '" + model
                        + "' is not supported (gpt2 and llama are); take the model's tokenizer.json instead");
        };
        return new TokenizerDefinition(document.toString(), source.config());
    }

    private ObjectNode byteLevel() {
        String name = text("pre").orElseThrow(() -> missing("pre"));
        GgufPreTokenizer pre = GgufPreTokenizer.named(name, where);
        ObjectNode model = TokenizerJson.bpe(vocabulary, merges(), null);
        model.put("ignore_merges", pre.ignoreMerges());
        ObjectNode document =
                TokenizerJson.document(addedTokens(), pre.preTokenizer(), TokenizerJson.byteLevel(true), model);
        pre.normalizer().ifPresent(normalizer -> document.set("normalizer", normalizer));
        addTemplate(document, pre.addsBos());
        return document;
    }

    private List<String> merges() {
        List<String> merges = texts("merges");
        List<String> wrong = merges.stream().filter(merge -> !fits(merge)).toList();
        if (!wrong.isEmpty()) {
            throw new LoricaException.BadInput(where + ": " + wrong.size() + " of " + merges.size() + " merges in "
                    + PREFIX + "merges join tokens that the vocabulary lacks, the first is '" + wrong.getFirst()
                    + "'; the file is damaged");
        }
        return merges;
    }

    private boolean fits(String merge) {
        int space = merge.indexOf(' ', 1);
        if (space < 0) {
            return false;
        }
        String left = merge.substring(0, space);
        String right = merge.substring(space + 1);
        return vocabulary.containsKey(left) && vocabulary.containsKey(right) && vocabulary.containsKey(left + right);
    }

    private ObjectNode sentencePiece() {
        List<Double> scores = list("scores").stream()
                .map(score -> ((Number) score).doubleValue())
                .toList();
        String unknown = special("unknown_token_id").orElse(null);
        ObjectNode model = TokenizerJson.bpe(vocabulary, SentencePieceMerges.of(vocabulary, scores, where), unknown);
        model.put("byte_fallback", vocabulary.containsKey("<0x0A>")).put("fuse_unk", true);
        boolean prefix = flag("add_space_prefix", true);
        ObjectNode document = TokenizerJson.document(
                addedTokens(), TokenizerJson.emptyObject(), SentencePieceMerges.decoder(prefix), model);
        document.putNull("pre_tokenizer");
        document.set("normalizer", SentencePieceMerges.normalizer(prefix));
        addTemplate(document, true);
        return document;
    }

    private List<ObjectNode> addedTokens() {
        List<?> types = list("token_type");
        if (types.size() != tokens.size()) {
            throw new LoricaException.BadInput(where + ": " + PREFIX + "token_type has " + types.size()
                    + " entries for " + tokens.size() + " tokens; the file is damaged");
        }
        List<ObjectNode> added = new ArrayList<>();
        for (int id = 0; id < tokens.size(); id++) {
            long type = ((Number) types.get(id)).longValue();
            if (type == CONTROL || type == UNKNOWN || type == USER_DEFINED) {
                added.add(TokenizerJson.addedToken(id, tokens.get(id), type != USER_DEFINED));
            }
        }
        return added;
    }

    /** Lets encoding add the tokens that the file asks for at the ends of a text. */
    private void addTemplate(ObjectNode document, boolean bosByDefault) {
        Optional<String> first = flag("add_bos_token", bosByDefault) ? special("bos_token_id") : Optional.empty();
        Optional<String> last = flag("add_eos_token", false) ? special("eos_token_id") : Optional.empty();
        if (first.isEmpty() && last.isEmpty()) {
            return;
        }
        ObjectNode post = TokenizerJson.typed("TemplateProcessing");
        ArrayNode single = post.putArray("single");
        ArrayNode pair = post.putArray("pair");
        first.ifPresent(token -> single.add(part("SpecialToken", token, 0)));
        single.add(part("Sequence", "A", 0));
        last.ifPresent(token -> single.add(part("SpecialToken", token, 0)));
        pair.addAll(single);
        first.ifPresent(token -> pair.add(part("SpecialToken", token, 1)));
        pair.add(part("Sequence", "B", 1));
        last.ifPresent(token -> pair.add(part("SpecialToken", token, 1)));
        ObjectNode special = post.putObject("special_tokens");
        first.ifPresent(token -> describe(special, token));
        last.ifPresent(token -> describe(special, token));
        document.set("post_processor", post);
    }

    private static ObjectNode part(String kind, String id, int type) {
        ObjectNode part = TokenizerJson.emptyObject();
        part.putObject(kind).put("id", id).put("type_id", type);
        return part;
    }

    private void describe(ObjectNode special, String token) {
        ObjectNode entry = special.putObject(token).put("id", token);
        entry.putArray("ids").add(vocabulary.get(token));
        entry.putArray("tokens").add(token);
    }

    private ObjectNode config() {
        ObjectNode config = TokenizerJson.emptyObject().put("tokenizer_class", "PreTrainedTokenizerFast");
        special("bos_token_id").ifPresent(token -> config.put("bos_token", token));
        special("eos_token_id").ifPresent(token -> config.put("eos_token", token));
        special("eot_token_id").ifPresent(token -> config.put("eot_token", token));
        special("unknown_token_id").ifPresent(token -> config.put("unk_token", token));
        special("padding_token_id").ifPresent(token -> config.put("pad_token", token));
        config.put("clean_up_tokenization_spaces", false);
        if (values.get("tokenizer.chat_template") instanceof String template) {
            config.put("chat_template", template);
        }
        return config;
    }

    private Optional<String> special(String key) {
        if (!(values.get(PREFIX + key) instanceof Number number)) {
            return Optional.empty();
        }
        long id = number.longValue();
        if (id < 0 || id >= tokens.size()) {
            throw new LoricaException.BadInput(
                    where + ": " + PREFIX + key + " is " + id + ", outside the " + tokens.size() + " tokens");
        }
        return Optional.of(tokens.get((int) id));
    }

    private boolean flag(String key, boolean otherwise) {
        return values.get(PREFIX + key) instanceof Boolean value ? value : otherwise;
    }

    private Optional<String> text(String key) {
        return values.get(PREFIX + key) instanceof String value ? Optional.of(value) : Optional.empty();
    }

    private List<String> texts(String key) {
        return list(key).stream().map(String.class::cast).toList();
    }

    private List<?> list(String key) {
        if (values.get(PREFIX + key) instanceof List<?> list) {
            return list;
        }
        throw missing(key);
    }

    private LoricaException.BadInput missing(String key) {
        return new LoricaException.BadInput(where + ": metadata " + PREFIX + key
                + " is missing or of the wrong kind, so its tokenizer cannot be rebuilt; put the model's tokenizer.json"
                + " beside the weights");
    }
}
