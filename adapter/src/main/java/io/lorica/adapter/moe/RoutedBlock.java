package io.lorica.adapter.moe;

import io.lorica.adapter.BlockAdapter;
import io.lorica.model.FeedForward;
import io.lorica.model.Linear;
import java.util.HashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** The experts of one feed-forward block and the router that decides for all of its maps. */
public abstract class RoutedBlock implements BlockAdapter {
    private final FeedForward block;
    private final Router router;
    private final Map<Linear, ExpertGroup> groups = new HashMap<>();

    protected RoutedBlock(FeedForward block, Router router) {
        this.block = block;
        this.router = router;
    }

    /** Puts experts on one of the block's maps; a map without them stays the base's. */
    public final void place(Linear map, ExpertGroup group) {
        groups.put(map, group);
    }

    @Override
    public final FeedForward block() {
        return block;
    }

    protected final Router router() {
        return router;
    }

    protected final @Nullable ExpertGroup experts(Linear map) {
        return groups.get(map);
    }
}
