package io.lorica.adapter;

import io.lorica.model.FeedForward;
import io.lorica.model.Pass;
import org.bytedeco.pytorch.Tensor;

/**
 * An adapter's part on a whole feed-forward block, see {@link Shared#blocks}. The tensors it computes with are those of the
 * parts on the block's sites and of {@link Shared}.
 */
public interface BlockAdapter {

    FeedForward block();

    /**
     * The adapted block. It asks the block's sites for what they compute, so that other adapters on them go on acting; its own
     * parts on them add nothing there.
     *
     * @param x {@code [T, hidden]} in the base's dtype
     * @return likewise, owned by the caller's innermost scope
     */
    Tensor forward(Tensor x, Pass pass);
}
