package io.lorica.langchain4j;

import dev.langchain4j.model.chat.ChatModel;
import dev.langchain4j.model.chat.request.ChatRequest;
import dev.langchain4j.model.chat.request.ChatRequestParameters;
import dev.langchain4j.model.chat.response.ChatResponse;
import io.lorica.model.Sampling;
import io.lorica.serve.LoricaModel;
import io.lorica.tensor.LoricaException;

/**
 * LangChain4j's {@code ChatModel} on a {@link LoricaModel}. A request's model name, where it has one, names the adapter or
 * blend that answers it, so one object serves all adapters of a base. Tools, other contents than text, response formats
 * and penalties are refused, not ignored.
 */
public final class LoricaChatModel implements ChatModel {
    private final Conversation conversation;

    /**
     * @param model stays the caller's
     * @param defaults for what a request leaves open
     */
    public LoricaChatModel(LoricaModel model, Sampling defaults) {
        conversation = new Conversation(model, defaults);
    }

    @Override
    public ChatRequestParameters defaultRequestParameters() {
        return conversation.parameters();
    }

    @Override
    public ChatResponse doChat(ChatRequest request) {
        LoricaModel model = conversation.model(request);
        try {
            return Conversation.response(
                    model, model.chat(Conversation.messages(request), conversation.sampling(request)));
        } catch (LoricaException e) {
            throw Conversation.translated(e);
        }
    }
}
