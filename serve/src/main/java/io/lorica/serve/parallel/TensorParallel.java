package io.lorica.serve.parallel;

import io.lorica.adapter.RowRanges;
import io.lorica.model.CausalModel;
import io.lorica.model.ModelLoader;
import io.lorica.model.Pass;
import io.lorica.model.Pretrained;
import io.lorica.model.Shard;
import io.lorica.serve.engine.Crew;
import io.lorica.serve.mix.Blend;
import io.lorica.serve.mix.Rows;
import io.lorica.serve.pool.PagedCache;
import io.lorica.tensor.LoricaException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.IntStream;
import org.bytedeco.pytorch.global.torch;
import org.jspecify.annotations.Nullable;

/**
 * Computes an engine's passes by several processes of this machine, of which this is the first (S-LoRA; Sheng et al., 2023,
 * section 6, on Megatron-LM's cut of the base). Weights of the blocks, keys and values, and adapters in use are divided;
 * the embedding and the norms are whole on every rank, and the first alone computes the output head.
 *
 * <p>Adapters in use lie beside the engine's pages, each rank's part in memory of its own, as long as the store holds the
 * adapter; and no adapter is merged. A rank that ends takes the others with it: what it held of keys and values is lost.
 */
public final class TensorParallel implements Crew {
    private static final Duration PATIENCE = Duration.ofSeconds(60);

    private final Shard shard;
    private final CausalModel model;
    private final List<Peer> peers;
    private final Collective ranks;
    private final SharedAdapters adapters;
    private final Runnable onLost;
    private volatile @Nullable LoricaException lost;
    private volatile boolean closing;
    private boolean computing;

    private TensorParallel(List<Shard> shards, CausalModel model, List<Peer> peers, Collective ranks, Runnable onLost) {
        this.onLost = onLost;
        shard = shards.getFirst();
        this.model = model;
        this.peers = peers;
        this.ranks = ranks;
        adapters = new SharedAdapters(shards, model.dtype(), peers, ranks);
    }

    /**
     * Starts the other ranks and waits until all are ready.
     *
     * @param base the whole model, dense; stays the caller's, to be closed later
     * @param count of ranks, this one included
     * @param lost runs once, on some thread, where a rank ends by itself; nothing can be computed from then on
     * @throws LoricaException.Unsupported if the model's family cannot be split, or its weights are held quantized
     * @throws LoricaException.BadInput if it has fewer key heads than there would be ranks
     */
    public static TensorParallel start(Pretrained base, int count, Runnable lost) {
        List<Shard> shards = IntStream.range(0, count)
                .mapToObj(rank -> ModelLoader.shard(base.causal(), rank, count))
                .toList();
        int threads = Math.max(1, torch.get_num_threads() / count);
        List<Peer> peers = new ArrayList<>();
        CausalModel model = null;
        try {
            Path folder = Files.createTempDirectory("lorica-ranks");
            Path meeting = folder.resolve("store");
            for (int rank = 1; rank < count; rank++) {
                peers.add(Peer.start(rank, arguments(base, rank, count, threads, meeting)));
            }
            model = (CausalModel) ModelLoader.part(base.causal(), shards.getFirst());
            peers.forEach(Peer::awaitReady);
            TensorParallel crew =
                    new TensorParallel(shards, model, peers, Collective.join(meeting, 0, count, PATIENCE), lost);
            Files.deleteIfExists(meeting);
            Files.deleteIfExists(folder);
            torch.set_num_threads(threads);
            crew.watch();
            return crew;
        } catch (IOException e) {
            giveUp(peers, model);
            throw new LoricaException.Internal(
                    "the ranks of tensor parallelism have no place to meet (" + e.getMessage()
                            + "); make the folder for temporary files writable",
                    e);
        } catch (RuntimeException e) {
            giveUp(peers, model);
            throw e;
        }
    }

    private static List<String> arguments(Pretrained base, int rank, int count, int threads, Path meeting) {
        return List.of(
                base.path().toString(),
                base.model().dtype().name(),
                Integer.toString(rank),
                Integer.toString(count),
                Integer.toString(threads),
                meeting.toString(),
                Long.toString(PATIENCE.toMillis()));
    }

    private static void giveUp(List<Peer> peers, @Nullable CausalModel model) {
        peers.forEach(Peer::close);
        if (model != null) {
            model.close();
        }
    }

    private void watch() {
        for (Peer peer : peers) {
            peer.onExit(() -> {
                if (!closing) {
                    boolean first = lost == null;
                    lost = peer.ended();
                    if (first) {
                        onLost.run();
                    }
                }
            });
        }
    }

    /** Why nothing can be computed any more; null as long as all is well. */
    public @Nullable LoricaException lost() {
        return lost;
    }

    /** Process ids of the other ranks. */
    public List<Long> processes() {
        return peers.stream().map(Peer::pid).toList();
    }

    /** Elements this rank has sent so far in collectives; see {@link Collective#traffic}. */
    double traffic() {
        return ranks.traffic();
    }

    @Override
    public CausalModel model() {
        return model;
    }

    @Override
    public boolean usesPages() {
        return false;
    }

    @Override
    public void attach(int pages, int pageTokens) {
        peers.forEach(peer -> peer.send(new Message.Open(pages, pageTokens)));
        ShardOverlay.attach(model, shard, ranks);
    }

    @Override
    public void prepare(Blend blend) {
        requireNoneLost();
        blend.parts().forEach(part -> adapters.prepare(part.adapter()));
    }

    @Override
    public void follow(List<long[]> tokens, List<PagedCache> caches, Rows rows) {
        requireWhole();
        computing = true;
        adapters.sweep();
        List<Message.Range> ranges = new ArrayList<>();
        for (RowRanges.Range<Blend> range : rows.ranges().all()) {
            List<Message.Use> uses = range.owner().parts().stream()
                    .map(part -> new Message.Use(adapters.share(part.adapter()), part.weight()))
                    .toList();
            ranges.add(new Message.Range(range.from(), range.count(), uses));
        }
        List<Message.Sequence> sequences = IntStream.range(0, tokens.size())
                .mapToObj(i -> new Message.Sequence(
                        tokens.get(i), caches.get(i).pages(), caches.get(i).length()))
                .toList();
        peers.forEach(peer -> peer.send(new Message.Pass(sequences, ranges)));
    }

    private void requireNoneLost() {
        LoricaException error = lost;
        if (error != null) {
            throw error;
        }
    }

    /** After a pass that failed half-way the ranks wait for different things, so that nothing they say can be trusted. */
    private void requireWhole() {
        requireNoneLost();
        if (computing) {
            LoricaException error = new LoricaException.Internal(
                    "a pass of tensor parallelism failed half-way, after which its ranks do not fit together;"
                            + " start the server again");
            lost = error;
            onLost.run();
            throw error;
        }
    }

    @Override
    public void done() {
        computing = false;
    }

    @Override
    public Pass.Facts facts(Rows rows) {
        return new ShardRows(rows.ranges()
                .map(blend -> blend.parts().stream()
                        .map(part -> new ShardRows.Acting(adapters.mine(part.adapter()), part.weight()))
                        .toList()));
    }

    @Override
    public void close() {
        closing = true;
        peers.forEach(Peer::close);
        ranks.close();
        adapters.close();
        model.close();
    }
}
