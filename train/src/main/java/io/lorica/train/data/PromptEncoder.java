package io.lorica.train.data;

import io.lorica.model.ChatTemplate;
import io.lorica.model.Message;
import io.lorica.model.Tokenizer;
import io.lorica.tensor.LoricaException;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;

/**
 * Conversations as tokens, with marks on what the assistant says. Training and evaluation use the same one, so that a
 * model meets the text it was trained on.
 *
 * <p>With a chat template, the marks of an assistant's turn run from where the template has opened it (the conversation
 * so far, rendered with the generation prompt) up to and with the end token that closes it. Plain: the prompt, the
 * completion and the tokenizer's end token; a line break parts the two, except where the columns are {@code prompt} and
 * {@code completion}, which are taken to the letter.
 */
public final class PromptEncoder {
    private final Tokenizer tokenizer;
    private final Optional<ChatTemplate> chat;

    /** @throws LoricaException.Incompatible when a chat template is asked for and the model has none */
    public PromptEncoder(Tokenizer tokenizer, Template template) {
        this.tokenizer = tokenizer;
        chat = template == Template.PLAIN ? Optional.empty() : tokenizer.chatTemplate();
        if (template == Template.CHAT && chat.isEmpty()) {
            throw new LoricaException.Incompatible(
                    "template: chat needs a chat template, but the model's tokenizer has none; use template: plain");
        }
    }

    /** Whether a chat template is in use. */
    public boolean usesChat() {
        return chat.isPresent();
    }

    public Tokenizer tokenizer() {
        return tokenizer;
    }

    /** Tokens up to where the assistant is to speak. */
    public long[] prompt(List<Message> messages) {
        return chat.map(template -> tokenizer.encode(template.render(messages, true), false))
                .orElseGet(() -> tokenizer.encode(plain(messages), true));
    }

    /** Tokens of one question, as {@link #prompt(List)}. */
    public long[] prompt(String question) {
        return prompt(List.of(new Message("user", question)));
    }

    /** Tokens of a row up to where its (last) completion begins. */
    public long[] prompt(Row row, DataFormat format) {
        if (chat.isEmpty() && format instanceof DataFormat.PromptCompletion pair) {
            return tokenizer.encode(row.text(pair.prompt()), true);
        }
        List<Message> messages = Turns.of(row, format);
        return prompt(messages.subList(0, messages.size() - 1));
    }

    /** All turns of a row, with marks on the assistant's. */
    Encoded encode(Row row, DataFormat format) {
        if (chat.isEmpty() && format instanceof DataFormat.PromptCompletion pair) {
            return completion(row.text(pair.prompt()), row.text(pair.completion()));
        }
        List<Message> messages = Turns.of(row, format);
        if (messages.stream().noneMatch(PromptEncoder::isAssistant)) {
            throw row.bad("no turn has the role 'assistant', so there is nothing to learn");
        }
        return chat.isPresent() ? encodeChat(row, messages, chat.get()) : encodePlain(row, messages);
    }

    private Encoded encodeChat(Row row, List<Message> messages, ChatTemplate template) {
        String whole = template.render(messages, false);
        Spans spans = new Spans(tokenizer, whole, false);
        int[][] marks = new int[messages.size()][];
        for (int i = 0; i < marks.length; i++) {
            if (isAssistant(messages.get(i))) {
                String before = template.render(messages.subList(0, i), true);
                String with = template.render(messages.subList(0, i + 1), false);
                if (!with.startsWith(before) || !whole.startsWith(with)) {
                    throw row.bad("the chat template writes turn " + i + " differently once more turns follow, so what"
                            + " the assistant says cannot be told apart (set template: plain)");
                }
                marks[i] = new int[] {spans.cut(before.length()), spans.cut(with.length())};
            }
        }
        return mark(spans, marks);
    }

    private Encoded mark(Spans spans, int[][] marks) {
        long[] tokens = spans.tokens();
        boolean[] supervised = new boolean[tokens.length];
        for (int[] turn : marks) {
            if (turn != null) {
                Arrays.fill(supervised, Math.max(1, turn[0]), Math.max(1, endOf(tokens, turn)), true);
            }
        }
        return new Encoded(tokens, supervised, spans.resplit());
    }

    /** One past the last end token of a turn: what the template writes after it opens the next turn. */
    private int endOf(long[] tokens, int[] turn) {
        for (int i = turn[1]; i > turn[0]; i--) {
            if (tokenizer.endIds().contains(tokens[i - 1])) {
                return i;
            }
        }
        return turn[1];
    }

    private Encoded encodePlain(Row row, List<Message> messages) {
        int last = messages.size() - 1;
        if (!isAssistant(messages.get(last))
                || messages.subList(0, last).stream().anyMatch(PromptEncoder::isAssistant)) {
            throw row.bad("a conversation of several turns needs a chat template, and the model has none or"
                    + " template: plain is set");
        }
        String prompt = plain(messages.subList(0, last));
        return completion(prompt, messages.get(last).content());
    }

    /** Prompt and completion as they stand, then the end token. */
    Encoded completion(String prompt, String completion) {
        Spans spans = new Spans(tokenizer, prompt + completion, true);
        int start = spans.cut(prompt.length());
        long[] tokens = spans.tokens();
        if (tokenizer.eos().isPresent()) {
            tokens = Spans.concat(tokens, tokenizer.eos().getAsLong());
        }
        boolean[] supervised = new boolean[tokens.length];
        Arrays.fill(supervised, Math.min(tokens.length, Math.max(1, start)), tokens.length, true);
        return new Encoded(tokens, supervised, spans.resplit());
    }

    private static String plain(List<Message> messages) {
        return String.join("\n\n", messages.stream().map(Message::content).toList()) + "\n";
    }

    private static boolean isAssistant(Message message) {
        return message.role().equals("assistant");
    }
}
