package io.lorica.serve;

import io.lorica.model.ChatTemplate;
import io.lorica.model.Generation;
import io.lorica.model.Message;
import io.lorica.model.ModelStore;
import io.lorica.model.Pretrained;
import io.lorica.model.Sampling;
import io.lorica.serve.engine.Engine;
import io.lorica.serve.engine.EngineOptions;
import io.lorica.serve.engine.EngineStats;
import io.lorica.serve.engine.Listener;
import io.lorica.serve.engine.Request;
import io.lorica.serve.mix.Blend;
import io.lorica.serve.store.AdapterStore;
import io.lorica.serve.store.BlendSpec;
import io.lorica.serve.store.Lease;
import io.lorica.tensor.DType;
import io.lorica.tensor.LoricaException;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import org.jspecify.annotations.Nullable;

/**
 * A model to ask from Java: a base alone or with adapters. Thousands share one base, and one engine answers whoever asks
 * at the same time in the same passes.
 *
 * <pre>{@code
 * try (LoricaModel base = LoricaModel.open("smollm2-135m-instruct")) {
 *     base.adapters().addAll(Path.of("adapters"));
 *     LoricaModel tone = base.adapter("tone");                       // costs nothing until it is asked
 *     Generation answer = tone.chat(List.of(new Message("user", "Hello")), Sampling.greedy(64));
 *     base.adapters().put("tone", Path.of("adapters/tone-v2"));      // tone answers with the new weights from here on
 * }
 * }</pre>
 *
 * <p>Any number of threads, virtual ones too, may ask. Closing the model that was opened ends what is running and frees
 * everything; closing one that {@link #adapter} gave does nothing.
 */
public final class LoricaModel implements AutoCloseable {
    private static final long ADAPTER_BYTES = 1L << 30;

    /** What all models of one base share. */
    private record Shared(Pretrained base, AdapterStore store, Engine engine) {}

    private final Shared shared;
    private final @Nullable BlendSpec adapters;
    private final String tenant;
    private final boolean owner;

    private LoricaModel(Shared shared, @Nullable BlendSpec adapters, String tenant, boolean owner) {
        this.shared = shared;
        this.adapters = adapters;
        this.tenant = tenant;
        this.owner = owner;
    }

    /** A base in bfloat16 from the standard store, with up to 1 GiB of adapters in memory. */
    public static LoricaModel open(String reference) {
        return open(ModelStore.standard().open(reference, DType.BF16), ADAPTER_BYTES, EngineOptions.DEFAULT);
    }

    /**
     * @param base a causal model; becomes this object's
     * @param adapterBytes most bytes of native memory for adapters
     * @throws LoricaException.Incompatible if the base does not generate text
     */
    public static LoricaModel open(Pretrained base, long adapterBytes, EngineOptions options) {
        try {
            Engine engine = Engine.start(base.causal(), base.tokenizer(), options);
            AdapterStore store = new AdapterStore(base.model(), adapterBytes);
            return new LoricaModel(new Shared(base, store, engine), null, "", true);
        } catch (RuntimeException e) {
            base.close();
            throw e;
        }
    }

    /** The adapters that can be asked for; add, replace and remove them at any time. */
    public AdapterStore adapters() {
        return shared.store();
    }

    /** What the engine does, for all models of this base. */
    public EngineStats stats() {
        return shared.engine().stats();
    }

    /** The base alone. */
    public LoricaModel base() {
        return new LoricaModel(shared, null, tenant, false);
    }

    /**
     * The base with an adapter, or a blend of several: {@code tone}, {@code tone:0.7+law:0.5}. Each question takes the
     * adapters that have these names then; where there are none, it fails.
     *
     * @throws LoricaException.BadInput where it is not written like that
     */
    public LoricaModel adapter(String spec) {
        return new LoricaModel(shared, BlendSpec.parse(spec), tenant, false);
    }

    /** The same model on the account of somebody, with whom others take turns. */
    public LoricaModel tenant(String name) {
        return new LoricaModel(shared, adapters, name, false);
    }

    /** The base's reference, with a {@code +} and the adapters where there are any. */
    public String name() {
        return adapters == null
                ? shared.base().reference()
                : shared.base().reference() + "+"
                        + String.join("+", adapters.weights().keySet());
    }

    /**
     * Goes on with a text.
     *
     * @throws LoricaException.NotFound where an adapter is not known (any more)
     * @throws LoricaException.Busy where too many wait, or the wait was too long
     */
    public Generation generate(String prompt, Sampling sampling) {
        return await(tokens(prompt), sampling);
    }

    /** The same, told token by token; the listener runs on the engine's thread and must not block. */
    public Engine.Ticket generate(String prompt, Sampling sampling, Listener listener) {
        return submit(tokens(prompt), sampling, listener);
    }

    /**
     * Answers a conversation, written as the base's chat template has it.
     *
     * @throws LoricaException.Unsupported where the base has no chat template
     */
    public Generation chat(List<Message> messages, Sampling sampling) {
        return await(tokens(messages), sampling);
    }

    /** The same, told token by token; the listener runs on the engine's thread and must not block. */
    public Engine.Ticket chat(List<Message> messages, Sampling sampling, Listener listener) {
        return submit(tokens(messages), sampling, listener);
    }

    private long[] tokens(String text) {
        return shared.base().tokenizer().encode(text, true);
    }

    private long[] tokens(List<Message> messages) {
        ChatTemplate template = shared.base()
                .tokenizer()
                .chatTemplate()
                .orElseThrow(() -> new LoricaException.Unsupported(shared.base().reference()
                        + " has no chat template; go on with a text instead (generate), or open a chat model"));
        // The template writes the special tokens itself.
        return shared.base().tokenizer().encode(template.render(messages, true), false);
    }

    private Generation await(long[] prompt, Sampling sampling) {
        CompletableFuture<Generation> answer = new CompletableFuture<>();
        Engine.Ticket ticket = submit(prompt, sampling, new Listener() {
            @Override
            public void onPiece(Piece piece) {
                // Only the whole answer is wanted.
            }

            @Override
            public void onEnd(End end) {
                switch (end) {
                    case End.Finished finished -> answer.complete(finished.answer());
                    case End.Failed failed -> answer.completeExceptionally(failed.error());
                    case End.Cancelled _ ->
                        answer.completeExceptionally(
                                new LoricaException.Busy("the thread that asked was interrupted; ask again"));
                }
            }
        });
        try {
            return answer.get();
        } catch (InterruptedException _) {
            ticket.cancel();
            Thread.currentThread().interrupt();
            throw new LoricaException.Busy("the thread that asked was interrupted; ask again");
        } catch (ExecutionException e) {
            if (e.getCause() instanceof LoricaException known) {
                throw known;
            }
            throw new LoricaException.Internal("the answer failed: " + e.getMessage(), e);
        }
    }

    private Engine.Ticket submit(long[] prompt, Sampling sampling, Listener listener) {
        Lease lease = adapters == null ? null : shared.store().acquire(adapters);
        try {
            Blend blend = lease == null ? Blend.BASE : lease.blend();
            return shared.engine()
                    .submit(new Request(prompt, sampling, 0, -1, blend, tenant), new Leased(listener, lease));
        } catch (RuntimeException e) {
            if (lease != null) {
                lease.close();
            }
            throw e;
        }
    }

    /** Gives the adapters back before it passes the end on. */
    private record Leased(Listener listener, @Nullable Lease lease) implements Listener {
        @Override
        public void onPiece(Piece piece) {
            listener.onPiece(piece);
        }

        @Override
        public void onEnd(End end) {
            if (lease != null) {
                lease.close();
            }
            listener.onEnd(end);
        }
    }

    @Override
    public void close() {
        if (owner) {
            shared.engine().close();
            shared.store().close();
            shared.base().close();
        }
    }
}
