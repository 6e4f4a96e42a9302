package io.lorica.serve.engine;

import io.lorica.model.CausalModel;
import io.lorica.model.Pass;
import io.lorica.serve.mix.Blend;
import io.lorica.serve.mix.MixedOverlay;
import io.lorica.serve.mix.Rows;
import io.lorica.serve.pool.PagedCache;
import java.util.List;

/** Who computes an engine's passes: this process {@linkplain #alone}, or with others that follow it pass by pass. */
public interface Crew extends AutoCloseable {

    /** What this process computes with. */
    CausalModel model();

    /** Whether adapters in use lie in the engine's pages; otherwise the crew has its own place for them. */
    boolean usesPages();

    /**
     * Puts the overlays on.
     *
     * @param pages of the engine's pool
     * @param pageTokens tokens of a page
     */
    void attach(int pages, int pageTokens);

    /**
     * Looks at adapters before a request with them is taken. Called by the thread that asks.
     *
     * @throws io.lorica.tensor.LoricaException.Unsupported where one of them cannot be computed so
     */
    void prepare(Blend blend);

    /** Tells everybody what comes next, before this process computes it; the caches have the pages they need. */
    void follow(List<long[]> tokens, List<PagedCache> caches, Rows rows);

    /** What the overlays of this process must know of a pass. */
    Pass.Facts facts(Rows rows);

    /** Hears that this process has computed what {@link #follow} told of; where it failed instead, it never does. */
    void done();

    /** Takes the overlays off, and lets the others go. */
    @Override
    void close();

    /** One process that has the whole model. */
    static Crew alone(CausalModel model) {
        return new Crew() {
            @Override
            public CausalModel model() {
                return model;
            }

            @Override
            public boolean usesPages() {
                return true;
            }

            @Override
            public void attach(int pages, int pageTokens) {
                MixedOverlay.attach(model);
            }

            @Override
            public void prepare(Blend blend) {
                // Whatever the store has loaded can be computed.
            }

            @Override
            public void follow(List<long[]> tokens, List<PagedCache> caches, Rows rows) {
                // Nobody does.
            }

            @Override
            public void done() {
                // Nobody waits for it.
            }

            @Override
            public Pass.Facts facts(Rows rows) {
                return rows;
            }

            @Override
            public void close() {
                MixedOverlay.detach(model);
            }
        };
    }
}
