package io.lorica.langchain4j;

import dev.langchain4j.model.chat.StreamingChatModel;
import dev.langchain4j.model.chat.request.ChatRequest;
import dev.langchain4j.model.chat.request.ChatRequestParameters;
import dev.langchain4j.model.chat.response.StreamingChatResponseHandler;
import io.lorica.model.Sampling;
import io.lorica.serve.LoricaModel;
import io.lorica.tensor.LoricaException;

/**
 * LangChain4j's {@code StreamingChatModel} on a {@link LoricaModel}; requests as {@link LoricaChatModel} takes them. The
 * handler is called on a thread of its own, so a slow one holds up nobody else, and may cancel through the context's handle.
 */
public final class LoricaStreamingChatModel implements StreamingChatModel {
    private final Conversation conversation;

    /**
     * @param model stays the caller's
     * @param defaults for what a request leaves open
     */
    public LoricaStreamingChatModel(LoricaModel model, Sampling defaults) {
        conversation = new Conversation(model, defaults);
    }

    @Override
    public ChatRequestParameters defaultRequestParameters() {
        return conversation.parameters();
    }

    @Override
    public void doChat(ChatRequest request, StreamingChatResponseHandler handler) {
        LoricaModel model = conversation.model(request);
        Relay relay = new Relay(handler, answer -> Conversation.response(model, answer));
        try {
            relay.start(model.chat(Conversation.messages(request), conversation.sampling(request), relay));
        } catch (LoricaException e) {
            handler.onError(Conversation.translated(e));
        }
    }
}
