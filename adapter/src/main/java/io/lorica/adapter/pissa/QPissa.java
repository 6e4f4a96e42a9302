package io.lorica.adapter.pissa;

import io.lorica.adapter.Adapter;
import io.lorica.adapter.AdapterConfig;
import io.lorica.adapter.Factors;
import io.lorica.adapter.QuantizedSplit;
import io.lorica.adapter.SiteAdapter;
import io.lorica.adapter.lowrank.Start;
import io.lorica.adapter.lowrank.Svd;
import io.lorica.model.BaseModel;
import io.lorica.model.Linear;
import io.lorica.model.WeightFormat;
import io.lorica.tensor.DType;
import io.lorica.tensor.Grad;
import io.lorica.tensor.LoricaException;
import io.lorica.tensor.Quantized;
import io.lorica.tensor.Scope;
import io.lorica.tensor.Seed;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.DoubleConsumer;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;

/**
 * QPiSSA (Meng et al., 2024, section 4): the principal part of a weight in full precision, the rest in few bits, chosen in
 * turn so that together they come close to the weight. With {@code R = W}, {@code T} times:
 *
 * <pre>
 * U S V^T = svd(R),  A = diag(sqrt(S_r / s)) V_r^T,  B = U_r diag(sqrt(S_r / s))
 * Q = dequantized(quantized(W - s B A)),             R = W - Q
 * </pre>
 *
 * The frozen weight is the last {@code Q}, the adapter the last A and B, which come from before that quantization, as in the
 * official {@code init_qpissa.py} (there {@code s = 1}; here s is taken in as PiSSA does). The base's weights are replaced
 * by {@code Q}, so the result is a model of its own with an ordinary LoRA on it: the paper's first saved form. Quantizing
 * {@code Q} again gives {@code Q}, as long as it is stored in float32.
 */
final class QPissa implements QuantizedSplit {
    private final Adapter adapter;
    private final List<Tensor> frozen = new ArrayList<>();
    private final List<SiteError> errors = new ArrayList<>();

    private QPissa(Adapter adapter) {
        this.adapter = adapter;
    }

    /** See {@link io.lorica.adapter.Method#splitQuantized}. */
    static QPissa split(
            BaseModel model, AdapterConfig lora, WeightFormat format, int iterations, DoubleConsumer progress) {
        if (iterations < 1) {
            throw new LoricaException.BadInput("QPiSSA needs 1 or more iterations, not " + iterations);
        }
        if (model.parameters().values().stream().anyMatch(parameter -> parameter.quantized())) {
            throw new LoricaException.Unsupported(
                    "QPiSSA quantizes the weights itself; load the base with dense weights");
        }
        Adapter adapter = Adapter.create(model, lora, new Seed(0));
        QPissa result = new QPissa(adapter);
        try {
            Map<Linear, Factors> parts = new LinkedHashMap<>();
            adapter.sites().values().forEach(part -> parts.put(requireLinear(part, format), factors(part)));
            parts.forEach((site, factors) -> {
                result.split(site, factors, format, iterations);
                progress.accept((double) result.errors.size() / parts.size());
            });
            return result;
        } catch (RuntimeException e) {
            result.close();
            throw e;
        }
    }

    private static Factors factors(SiteAdapter part) {
        return part.plainProduct()
                .orElseThrow(() -> new LoricaException.BadInput("QPiSSA starts a plain LoRA, which the settings for "
                        + part.site().name() + " do not give"));
    }

    private static Linear requireLinear(SiteAdapter part, WeightFormat format) {
        if (!(part.site() instanceof Linear site)) {
            throw new LoricaException.BadInput(
                    "QPiSSA takes linear maps, and " + part.site().name() + " is none; leave it out of target_modules");
        }
        boolean fits = switch (format.kind()) {
            case NF4 -> Quantized.fitsNf4(site.out(), site.in());
            case INT4 -> Quantized.fitsInt4(site.out(), site.in(), format.group());
            case INT8 -> Quantized.fitsInt8(site.out(), site.in());
            case DENSE, GGUF ->
                throw new LoricaException.BadInput("QPiSSA quantizes to nf4, int4 or int8, not " + format);
        };
        if (!fits) {
            throw new LoricaException.BadInput(site.name() + " has the shape [" + site.out() + ", " + site.in()
                    + "], which " + format + " cannot hold; leave it out of target_modules, or choose another format");
        }
        return site;
    }

    private void split(Linear site, Factors factors, WeightFormat format, int iterations) {
        try (Scope _ = Scope.open();
                Grad _ = Grad.disabled();
                Scalar scaling = new Scalar(factors.scaling())) {
            int r = (int) factors.a().size(0);
            Tensor w = Start.frozen(site);
            Tensor left = w;
            Tensor a = factors.a();
            Tensor b = factors.b();
            Tensor q = w;
            for (int i = 0; i < iterations; i++) {
                Svd svd = Svd.exact(left, r);
                Tensor root = svd.s().div(scaling).sqrt();
                a.copy_(root.unsqueeze(1).mul(svd.vt()));
                b.copy_(svd.u().mul(root));
                q = rounded(w.sub(b.mm(a).mul(scaling)), format);
                left = w.sub(q);
            }
            double split = nuclear(left.sub(b.mm(a).mul(scaling)));
            errors.add(new SiteError(site.name(), nuclear(w.sub(rounded(w, format))), split));
            Tensor value = Scope.release((site.fanInFanOut() ? q.t() : q).contiguous());
            frozen.add(value);
            site.weight().override(value);
        }
    }

    private static Tensor rounded(Tensor w, WeightFormat format) {
        Tensor contiguous = w.contiguous();
        try (Quantized held = switch (format.kind()) {
            case NF4 -> Quantized.nf4(contiguous);
            case INT4 -> Quantized.int4(contiguous, format.group(), DType.F32);
            default -> Quantized.int8(contiguous, DType.F32);
        }) {
            return held.dense(DType.F32);
        }
    }

    private static double nuclear(Tensor matrix) {
        return torch.linalg_svdvals(matrix).sum().item_double();
    }

    @Override
    public Adapter adapter() {
        return adapter;
    }

    @Override
    public List<SiteError> errors() {
        return List.copyOf(errors);
    }

    @Override
    public void close() {
        adapter.sites().values().forEach(part -> part.site().weight().restore());
        frozen.forEach(Tensor::close);
        frozen.clear();
        adapter.close();
    }
}
