package io.lorica.serve.engine;

import io.lorica.serve.mix.Blend;
import java.util.stream.Collectors;
import jdk.jfr.Category;
import jdk.jfr.Description;
import jdk.jfr.Event;
import jdk.jfr.Label;
import jdk.jfr.Name;
import jdk.jfr.StackTrace;

/** A request's phases as events of JDK Flight Recorder: waiting, reading its prompt, answering. */
final class Timeline {
    private final QueueEvent queue = new QueueEvent();
    private PrefillEvent prefill = new PrefillEvent();
    private final DecodeEvent decode = new DecodeEvent();

    /** What all phases tell. */
    @Category({"Lorica", "Serving"})
    @StackTrace(false)
    abstract static class Phase extends Event {
        @Label("Tenant")
        String tenant = "";

        @Label("Adapters")
        @Description("Names of the adapters that act, joined by +")
        String adapters = "";

        @Label("Prompt Tokens")
        int promptTokens;

        void commit(Request request) {
            end();
            if (shouldCommit()) {
                tenant = request.tenant();
                adapters = names(request.blend());
                promptTokens = request.prompt().length;
                commit();
            }
        }

        private static String names(Blend blend) {
            return blend.parts().stream().map(part -> part.adapter().name()).collect(Collectors.joining("+"));
        }
    }

    @Name("lorica.Queue")
    @Label("Request Queued")
    @Description("From the arrival of a request to the moment it is let in")
    static final class QueueEvent extends Phase {}

    @Name("lorica.Prefill")
    @Label("Prompt Read")
    @Description("From the moment a request is let in to its next token; once more when it had to begin again")
    static final class PrefillEvent extends Phase {
        @Label("Prefix Tokens")
        @Description("Tokens taken over from earlier requests")
        int prefixTokens;
    }

    @Name("lorica.Decode")
    @Label("Answer Generated")
    @Description("From the first token of an answer to its end")
    static final class DecodeEvent extends Phase {
        @Label("Generated Tokens")
        int generatedTokens;
    }

    Timeline() {
        queue.begin();
    }

    /** @param again whether it has been running before */
    void entered(Request request, int prefixTokens, boolean again) {
        if (!again) {
            queue.commit(request);
        }
        prefill = new PrefillEvent();
        prefill.prefixTokens = prefixTokens;
        prefill.begin();
    }

    /** @param tokens generated so far, this one included */
    void generated(Request request, int tokens, boolean afterReading) {
        if (afterReading) {
            prefill.commit(request);
        }
        if (tokens == 1) {
            decode.begin();
        }
    }

    void ended(Request request, int tokens) {
        if (tokens > 0) {
            decode.generatedTokens = tokens;
            decode.commit(request);
        }
    }
}
