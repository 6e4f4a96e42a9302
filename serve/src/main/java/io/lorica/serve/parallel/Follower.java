package io.lorica.serve.parallel;

import io.lorica.adapter.RowRanges;
import io.lorica.model.Batch;
import io.lorica.model.CausalModel;
import io.lorica.model.KvCache;
import io.lorica.model.ModelLoader;
import io.lorica.model.ModelStore;
import io.lorica.model.Pass;
import io.lorica.model.Pretrained;
import io.lorica.model.SequenceCache;
import io.lorica.model.Shard;
import io.lorica.serve.pool.PagePool;
import io.lorica.serve.pool.PagedCache;
import io.lorica.tensor.DType;
import io.lorica.tensor.Grad;
import io.lorica.tensor.LoricaException;
import io.lorica.tensor.Scope;
import java.io.BufferedInputStream;
import java.io.DataInputStream;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import org.bytedeco.pytorch.global.torch;
import org.jspecify.annotations.Nullable;

/**
 * A rank after the first: it computes its part of every pass as the first rank says, until that falls silent for good.
 * It has its own part of the keys and values, in pages of the same numbers, and of the adapters in use.
 */
public final class Follower {
    /** What it prints when its model is loaded. */
    static final String READY = "ready";

    private final CausalModel model;
    private final Collective ranks;
    private final DataInputStream in;
    private final Map<Integer, AdapterShard> adapters = new HashMap<>();
    private @Nullable PagePool pool;
    private PagedCache.@Nullable Shape shape;

    private Follower(CausalModel model, Collective ranks, DataInputStream in) {
        this.model = model;
        this.ranks = ranks;
        this.in = in;
    }

    /** @param args model folder or file, dtype, rank, ranks, threads, the file at which ranks meet, patience in ms */
    public static void main(String[] args) {
        // The first rank may have work to finish when both are asked to end; its silence is what ends this one.
        Thread main = Thread.currentThread();
        Runtime.getRuntime().addShutdownHook(new Thread(() -> join(main)));
        try {
            run(args);
        } catch (LoricaException | IOException e) {
            System.err.println("rank " + args[2] + ": " + e.getMessage());
            Runtime.getRuntime().halt(1);
        }
        Runtime.getRuntime().halt(0);
    }

    private static void join(Thread main) {
        try {
            main.join();
        } catch (InterruptedException _) {
            Thread.currentThread().interrupt();
        }
    }

    private static void run(String[] args) throws IOException {
        int rank = Integer.parseInt(args[2]);
        int count = Integer.parseInt(args[3]);
        torch.set_num_threads(Integer.parseInt(args[4]));
        Duration patience = Duration.ofMillis(Long.parseLong(args[6]));
        try (Grad _ = Grad.disabled();
                Pretrained whole = ModelStore.standard().open(args[0], DType.parse(args[1]))) {
            Shard shard = ModelLoader.shard(whole.model(), rank, count);
            try (CausalModel model = (CausalModel) ModelLoader.part(whole.model(), shard)) {
                System.out.println(READY);
                try (Collective ranks = Collective.join(Path.of(args[5]), rank, count, patience)) {
                    ShardOverlay.attach(model, shard, ranks);
                    new Follower(model, ranks, new DataInputStream(new BufferedInputStream(System.in))).loop();
                }
            }
        }
    }

    private void loop() throws IOException {
        for (Optional<Message> next = Message.read(in); next.isPresent(); next = Message.read(in)) {
            switch (next.get()) {
                case Message.Open open -> open(open);
                case Message.Adapter adapter -> take(adapter);
                case Message.Drop drop ->
                    Objects.requireNonNull(adapters.remove(drop.id())).close();
                case Message.Pass pass -> compute(pass);
            }
        }
    }

    private void open(Message.Open open) {
        PagedCache.Shape mine = new PagedCache.Shape(model.blocks().size(), model.keyWidth(), open.pageTokens());
        shape = mine;
        pool = new PagePool(open.pages(), mine.elements(), model.dtype());
    }

    private void take(Message.Adapter message) {
        AdapterShard adapter = new AdapterShard(message.entries(), model.dtype());
        if (adapter.memory().numel() > 0) {
            ranks.receive(adapter.memory(), 0);
        }
        adapters.put(message.id(), adapter);
    }

    private void compute(Message.Pass pass) {
        PagePool pages = Objects.requireNonNull(pool, "the pool's size comes first");
        PagedCache.Shape cut = Objects.requireNonNull(shape);
        try (Scope _ = Scope.open()) {
            List<SequenceCache> caches = pass.sequences().stream()
                    .<SequenceCache>map(sequence -> PagedCache.of(pages, cut, sequence.pages(), sequence.length()))
                    .toList();
            Batch batch = Batch.of(
                    pass.sequences().stream().map(Message.Sequence::tokens).toList(), KvCache.of(caches));
            model.hidden(batch, Pass.inference().with(facts(pass)));
        }
    }

    private ShardRows facts(Message.Pass pass) {
        return new ShardRows(new RowRanges<>(pass.ranges().stream()
                .map(range -> new RowRanges.Range<>(range.from(), range.count(), acting(range)))
                .toList()));
    }

    private List<ShardRows.Acting> acting(Message.Range range) {
        return range.uses().stream()
                .map(use -> new ShardRows.Acting(Objects.requireNonNull(adapters.get(use.adapter())), use.weight()))
                .toList();
    }
}
