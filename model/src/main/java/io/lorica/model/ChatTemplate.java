package io.lorica.model;

import com.hubspot.jinjava.Jinjava;
import com.hubspot.jinjava.interpret.RenderResult;
import com.hubspot.jinjava.interpret.TemplateError;
import io.lorica.tensor.LoricaException;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * A Jinja template that writes a conversation as the text a chat model was trained on, as
 * {@code tokenizer.apply_chat_template} of Hugging Face transformers does.
 *
 * <p>The rendered text already holds the model's special tokens: encode it without adding more.
 */
public final class ChatTemplate {
    /** A character that no text holds: Jinjava takes the text "false" for the truth value. */
    private static final String GUARD = "\uFDD0";

    private final String source;
    private final Map<String, String> specialTokens;
    private final String where;

    /**
     * @param specialTokens what the template sees as {@code bos_token}, {@code eos_token} …
     * @param where the file, for messages
     */
    ChatTemplate(String source, Map<String, String> specialTokens, String where) {
        this.source = source;
        this.specialTokens = specialTokens;
        this.where = where;
    }

    /** A template that comes from no file. */
    public static ChatTemplate of(String source, Map<String, String> specialTokens) {
        return new ChatTemplate(source, specialTokens, "chat template");
    }

    /** The template's own text: part of what an adapter was trained with. */
    public String source() {
        return source;
    }

    /**
     * @param addGenerationPrompt whether the text ends with the opening of the assistant's turn
     * @throws LoricaException.BadInput when the template refuses the messages (it says why)
     * @throws LoricaException.Unsupported when the template uses what this engine has not
     */
    public String render(List<Message> messages, boolean addGenerationPrompt) {
        Map<String, Object> context = new HashMap<>(specialTokens);
        boolean guarded =
                messages.stream().anyMatch(message -> message.content().equalsIgnoreCase("false"));
        context.put(
                "messages",
                messages.stream().map(message -> map(message, guarded)).toList());
        context.put("add_generation_prompt", addGenerationPrompt);
        Jinjava engine = JinjaDialect.engine();
        RenderResult result = engine.renderForResult(JinjaSource.prepare(source, where), context);
        for (TemplateError error : result.getErrors()) {
            throw JinjaDialect.failure(error, where);
        }
        return guarded ? result.getOutput().replace(GUARD, "") : result.getOutput();
    }

    private static Map<String, Object> map(Message message, boolean guarded) {
        Map<String, Object> map = new LinkedHashMap<>();
        map.put("role", message.role());
        map.put(
                "content",
                guarded && message.content().equalsIgnoreCase("false") ? message.content() + GUARD : message.content());
        return map;
    }
}
