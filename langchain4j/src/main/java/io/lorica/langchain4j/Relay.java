package io.lorica.langchain4j;

import dev.langchain4j.model.chat.response.ChatResponse;
import dev.langchain4j.model.chat.response.PartialResponse;
import dev.langchain4j.model.chat.response.PartialResponseContext;
import dev.langchain4j.model.chat.response.StreamingChatResponseHandler;
import dev.langchain4j.model.chat.response.StreamingHandle;
import io.lorica.model.Generation;
import io.lorica.serve.engine.Engine;
import io.lorica.serve.engine.Listener;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.function.Function;

/** Carries an answer from the engine's thread, which must not wait, to a thread that calls the handler. */
final class Relay implements Listener {
    private final StreamingChatResponseHandler handler;
    private final Function<Generation, ChatResponse> response;
    private final BlockingQueue<Object> heard = new LinkedBlockingQueue<>();

    Relay(StreamingChatResponseHandler handler, Function<Generation, ChatResponse> response) {
        this.handler = handler;
        this.response = response;
    }

    @Override
    public void onPiece(Piece piece) {
        if (!piece.text().isEmpty()) {
            heard.add(piece);
        }
    }

    @Override
    public void onEnd(End end) {
        heard.add(end);
    }

    void start(Engine.Ticket ticket) {
        Handle handle = new Handle(ticket);
        Thread.ofVirtual().name("lorica-answer").start(() -> pass(handle));
    }

    private void pass(Handle handle) {
        try {
            while (true) {
                switch (heard.take()) {
                    case Piece piece
                    when !handle.isCancelled() ->
                        told(() -> handler.onPartialResponse(
                                new PartialResponse(piece.text()), new PartialResponseContext(handle)));
                    case End end -> {
                        end(end);
                        return;
                    }
                    default -> {
                        // A piece after the handler gave up.
                    }
                }
            }
        } catch (InterruptedException _) {
            handle.cancel();
            Thread.currentThread().interrupt();
        }
    }

    private void end(End end) {
        switch (end) {
            case End.Finished finished -> told(() -> handler.onCompleteResponse(response.apply(finished.answer())));
            case End.Failed failed -> handler.onError(Conversation.translated(failed.error()));
            case End.Cancelled _ -> {
                // The handler asked for it and hears no more, as LangChain4j has it.
            }
        }
    }

    /** What a handler throws it is told itself, and the answer goes on, as LangChain4j has it. */
    private void told(Runnable call) {
        try {
            call.run();
        } catch (RuntimeException e) {
            handler.onError(e);
        }
    }

    private static final class Handle implements StreamingHandle {
        private final Engine.Ticket ticket;
        private volatile boolean cancelled;

        Handle(Engine.Ticket ticket) {
            this.ticket = ticket;
        }

        @Override
        public void cancel() {
            cancelled = true;
            ticket.cancel();
        }

        @Override
        public boolean isCancelled() {
            return cancelled;
        }
    }
}
