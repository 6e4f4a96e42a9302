package io.lorica.adapter;

import io.lorica.model.Embedding;
import io.lorica.model.Linear;
import io.lorica.model.Parameter;
import io.lorica.model.Pass;
import io.lorica.tensor.Scope;
import java.util.ArrayList;
import java.util.List;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorOptional;
import org.bytedeco.pytorch.global.torch;
import org.jspecify.annotations.Nullable;

/** What the active adapters put in the place of one site's frozen map. */
final class SiteOverlay implements Linear.Overlay, Embedding.Overlay, RowAdapter {

    /** One adapter's part with its weight. */
    record Part(SiteAdapter adapter, double weight) {}

    private final List<Part> parts = new ArrayList<>();
    private @Nullable TrainedModule whole;

    void add(SiteAdapter adapter, double weight) {
        parts.add(new Part(adapter, weight));
    }

    void replace(TrainedModule module) {
        whole = module;
    }

    List<Part> parts() {
        return parts;
    }

    @Nullable
    TrainedModule whole() {
        return whole;
    }

    @Override
    public Tensor forward(Linear site, Tensor x, Pass pass) {
        try (Scope scope = Scope.open()) {
            return scope.keep(adapt(x, whole == null ? site.base(x) : linear(x, whole.value(), site.bias()), pass));
        }
    }

    @Override
    public Tensor forward(Embedding site, Tensor ids, Pass pass) {
        try (Scope scope = Scope.open()) {
            Tensor base = whole == null ? site.base(ids) : torch.embedding(whole.value(), ids);
            return scope.keep(adapt(ids, base, pass));
        }
    }

    @Override
    public Tensor adapt(Tensor input, Tensor base, Pass pass) {
        Tensor result = base;
        for (Part part : parts) {
            result = part.adapter().apply(input, base, result, part.weight(), pass);
        }
        return result;
    }

    private static Tensor linear(Tensor x, Tensor weight, @Nullable Parameter bias) {
        if (bias == null) {
            return torch.linear(x, weight);
        }
        try (TensorOptional optional = new TensorOptional(bias.value())) {
            return torch.linear(x, weight, optional);
        }
    }
}
