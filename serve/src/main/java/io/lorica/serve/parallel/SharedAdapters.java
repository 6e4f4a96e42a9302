package io.lorica.serve.parallel;

import io.lorica.model.Shard;
import io.lorica.serve.mix.ServedAdapter;
import io.lorica.tensor.DType;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.ConcurrentHashMap;

/**
 * The first rank's view of the adapters: whole in the store, cut when first asked for, and sent to the other ranks before
 * the first pass that needs them. They go when the store closes them.
 */
final class SharedAdapters implements AutoCloseable {
    private final List<AdapterCut> cuts;
    private final List<Peer> peers;
    private final Collective ranks;
    private final Map<ServedAdapter, Divided> divided = new ConcurrentHashMap<>();
    private int sent;

    /** Parts by rank; the first rank's alone once the others have theirs. */
    private static final class Divided {
        final List<AdapterShard> parts;
        int id;

        Divided(List<AdapterShard> parts) {
            this.parts = parts;
        }
    }

    SharedAdapters(List<Shard> shards, DType type, List<Peer> peers, Collective ranks) {
        cuts = shards.stream().map(shard -> new AdapterCut(shard, type)).toList();
        this.peers = peers;
        this.ranks = ranks;
    }

    /** Cuts an adapter if need be. May be called by any thread that keeps the adapter from being closed. */
    void prepare(ServedAdapter adapter) {
        divided.computeIfAbsent(adapter, this::divide);
    }

    private Divided divide(ServedAdapter adapter) {
        List<AdapterShard> parts = new ArrayList<>();
        try {
            cuts.forEach(cut -> parts.add(cut.of(adapter)));
            return new Divided(parts);
        } catch (RuntimeException e) {
            parts.forEach(AdapterShard::close);
            throw e;
        }
    }

    /** The first rank's part. */
    AdapterShard mine(ServedAdapter adapter) {
        return known(adapter).parts.getFirst();
    }

    /** Sees to it that all ranks have an adapter; its number among them. */
    int share(ServedAdapter adapter) {
        Divided known = known(adapter);
        if (known.id == 0) {
            known.id = ++sent;
            for (Peer peer : peers) {
                try (AdapterShard part = known.parts.remove(1)) {
                    peer.send(new Message.Adapter(known.id, part.entries()));
                    if (part.memory().numel() > 0) {
                        ranks.send(part.memory(), peer.rank());
                    }
                }
            }
        }
        return known.id;
    }

    private Divided known(ServedAdapter adapter) {
        return Objects.requireNonNull(divided.get(adapter), "adapters are prepared when a request is taken");
    }

    /** Lets those go that the store has closed. */
    void sweep() {
        divided.forEach((adapter, parts) -> {
            if (adapter.closed()) {
                divided.remove(adapter);
                parts.parts.forEach(AdapterShard::close);
                if (parts.id > 0) {
                    peers.forEach(peer -> peer.send(new Message.Drop(parts.id)));
                }
            }
        });
    }

    @Override
    public void close() {
        divided.values().forEach(all -> all.parts.forEach(AdapterShard::close));
        divided.clear();
    }
}
