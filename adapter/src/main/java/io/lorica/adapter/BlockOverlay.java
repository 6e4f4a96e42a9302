package io.lorica.adapter;

import io.lorica.model.FeedForward;
import io.lorica.model.Pass;
import io.lorica.tensor.Scope;
import java.util.ArrayList;
import java.util.List;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;

/** What the active adapters put in the place of one feed-forward block: {@code plain + sum_i weight_i (adapted_i - plain)}. */
final class BlockOverlay implements FeedForward.Overlay {

    private record Part(BlockAdapter adapter, double weight) {}

    private final List<Part> parts = new ArrayList<>();

    /** @param weight factor on what the adapter changes (1 but in blends) */
    void add(BlockAdapter adapter, double weight) {
        parts.add(new Part(adapter, weight));
    }

    @Override
    public Tensor forward(FeedForward block, Tensor x, Pass pass) {
        try (Scope scope = Scope.open()) {
            if (parts.size() == 1 && parts.getFirst().weight() == 1) {
                return scope.keep(parts.getFirst().adapter().forward(x, pass));
            }
            Tensor plain = block.plain(x, pass);
            Tensor result = plain;
            for (Part part : parts) {
                Tensor change = part.adapter().forward(x, pass).sub(plain);
                try (Scalar weight = new Scalar(part.weight())) {
                    result = result.add(change.mul(weight));
                }
            }
            return scope.keep(result);
        }
    }
}
