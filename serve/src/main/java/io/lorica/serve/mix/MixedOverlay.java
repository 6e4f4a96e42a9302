package io.lorica.serve.mix;

import io.lorica.model.BaseModel;
import io.lorica.model.Embedding;
import io.lorica.model.Linear;
import io.lorica.model.Pass;
import io.lorica.model.Site;
import io.lorica.tensor.LoricaException;
import io.lorica.tensor.Scope;
import io.lorica.tensor.Tensors;
import java.util.ArrayList;
import java.util.List;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;

/**
 * Computes a site for many adapters at once: {@code Y = X W^T + b} once for the whole batch, then for each range of rows
 * what its adapters add. For low-rank products that is the segmented form of S-LoRA's (Sheng et al., 2023) and Punica's
 * (Chen et al., 2023) products, {@code Y[s] += (X[s] A^T) (scaling B)^T}: one pair of products per range, with no
 * padding to the largest rank. Any other method computes its own {@code apply} on its rows.
 *
 * <p>It holds no state: which rows belong to whom comes with the call, as {@link Rows}. Calls without them compute the
 * base.
 */
public final class MixedOverlay implements Linear.Overlay, Embedding.Overlay {

    private MixedOverlay() {}

    /** Puts one on every site. */
    public static void attach(BaseModel model) {
        MixedOverlay overlay = new MixedOverlay();
        for (Site site : model.sites().values()) {
            switch (site) {
                case Linear linear -> linear.attach(overlay);
                case Embedding embedding -> embedding.attach(overlay);
            }
        }
    }

    public static void detach(BaseModel model) {
        model.sites().values().forEach(Site::detachOverlay);
    }

    @Override
    public Tensor forward(Linear site, Tensor x, Pass pass) {
        return adapt(site, x, site.base(x), pass);
    }

    @Override
    public Tensor forward(Embedding site, Tensor ids, Pass pass) {
        return adapt(site, ids, site.base(ids), pass);
    }

    /** @param result fresh, so that it may be written */
    private static Tensor adapt(Site site, Tensor x, Tensor result, Pass pass) {
        if (!(pass.facts() instanceof Rows rows)) {
            return result;
        }
        requireFit(site, rows, result);
        for (Rows.Range range : rows.ranges()) {
            add(site, x, result, range, pass);
        }
        return result;
    }

    private static void add(Site site, Tensor x, Tensor result, Rows.Range range, Pass pass) {
        List<ServedAdapter.Part> parts = new ArrayList<>();
        List<Double> weights = new ArrayList<>();
        for (Blend.Part part : range.blend().parts()) {
            ServedAdapter.Part at = part.adapter().at(site);
            if (at != null) {
                parts.add(at);
                weights.add(part.weight());
            }
        }
        if (parts.isEmpty()) {
            return;
        }
        try (Scope _ = Scope.open()) {
            Tensor input = x.narrow(0, range.from(), range.count());
            Tensor output = result.narrow(0, range.from(), range.count());
            // A method may need the frozen output after another part has added to it.
            boolean alone = parts.size() == 1;
            Tensor base = alone ? output : output.clone();
            for (int i = 0; i < parts.size(); i++) {
                double weight = weights.get(i);
                switch (parts.get(i)) {
                    case ServedAdapter.Part.Product product -> add(output, input, product, weight);
                    case ServedAdapter.Part.Method method ->
                        output.copy_(method.adapter().apply(input, base, output, weight, pass));
                }
            }
        }
    }

    /** {@code output += weight (x down) up}, in place. */
    private static void add(Tensor output, Tensor x, ServedAdapter.Part.Product product, double weight) {
        Tensor hidden = x.mm(product.down());
        if (weight != 1) {
            try (Scalar factor = new Scalar(weight)) {
                hidden.mul_(factor);
            }
        }
        output.addmm_(hidden, product.up());
    }

    private static void requireFit(Site site, Rows rows, Tensor result) {
        Rows.Range last = rows.ranges().getLast();
        if (last.from() + last.count() != result.size(0)) {
            throw new LoricaException.Internal("the call says which adapters " + (last.from() + last.count())
                    + " rows have, but " + site.name() + " computes " + Tensors.shape(result)[0]);
        }
    }
}
