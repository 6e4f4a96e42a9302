package io.lorica.adapter;

import io.lorica.adapter.MergeCertificate.SiteError;
import io.lorica.model.BaseModel;
import io.lorica.model.Linear;
import io.lorica.model.Parameter;
import io.lorica.model.Site;
import io.lorica.tensor.DType;
import io.lorica.tensor.Grad;
import io.lorica.tensor.LoricaException;
import io.lorica.tensor.Quantized;
import io.lorica.tensor.Scope;
import io.lorica.tensor.Tensors;
import java.util.ArrayList;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Supplier;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;

/**
 * One merge: {@code W + sum of weight * change(W)} in float32, rounded once, put in front of the frozen parameter.
 */
final class Merge {
    private final BaseModel model;
    private final MergeOptions options;
    private final List<Parameter> overridden = new ArrayList<>();
    private final List<Tensor> owned = new ArrayList<>();
    private final List<SiteError> errors = new ArrayList<>();
    private double baseError;

    Merge(BaseModel model, MergeOptions options) {
        this.model = model;
        this.options = options;
    }

    /**
     * @param parts what acts on each site, attached to it now
     * @param replaced modules that an adapter replaces whole
     * @param whole weights that an adapter replaces by itself
     * @param detach takes all overlays off the sites
     */
    MergeCertificate run(
            IdentityHashMap<Site, SiteOverlay> parts,
            List<TrainedModule> replaced,
            Map<Parameter, Supplier<Tensor>> whole,
            Runnable detach) {
        requirePossible(parts);
        try (Scope _ = Scope.open();
                Grad _ = Grad.disabled()) {
            Probe probe = Probe.of(model, options.prompts());
            List<Tensor> overlay = probe.run();
            model.sites().values().forEach(site -> {
                SiteOverlay acting = parts.get(site);
                if (acting != null) {
                    merge(site, acting);
                }
            });
            replaced.stream().filter(module -> module.site() == null).forEach(this::fix);
            whole.forEach((parameter, value) -> put(parameter, Tensors.to(value.get(), options.dtype())));
            detach.run();
            List<Tensor> merged = probe.run();
            List<Parameter> inForce = List.copyOf(overridden);
            List<Tensor> values = inForce.stream().map(Parameter::value).toList();
            inForce.forEach(Parameter::restore);
            List<Tensor> base = probe.run();
            for (int i = 0; i < values.size(); i++) {
                inForce.get(i).override(values.get(i));
            }
            MergeCertificate certificate = new MergeCertificate(
                    options.dtype(),
                    errors,
                    overlay.size(),
                    Probe.difference(overlay, merged),
                    Probe.difference(overlay, base),
                    Probe.largest(overlay),
                    options.allowed(),
                    model.weightFormat(),
                    baseError);
            if (!certificate.acceptable()) {
                throw new LoricaException.Incompatible("merging would change what the adapter computes too much: "
                        + certificate + "; keep the adapter as an overlay, merge at a higher precision, "
                        + "or raise the tolerance");
            }
            return certificate;
        }
    }

    void undo() {
        overridden.forEach(Parameter::restore);
        owned.forEach(Tensor::close);
        overridden.clear();
        owned.clear();
    }

    private void requirePossible(IdentityHashMap<Site, SiteOverlay> parts) {
        options.allowed();
        if (options.dtype().bytes() > model.dtype().bytes()) {
            throw new LoricaException.Unsupported("cannot merge at " + options.dtype() + " while the model computes in "
                    + model.dtype() + "; load the model as " + options.dtype());
        }
        for (Site site : parts.keySet()) {
            List<String> sharing = model.sites().values().stream()
                    .filter(other -> other.weight() == site.weight())
                    .map(Site::name)
                    .toList();
            if (sharing.size() > 1) {
                throw new LoricaException.Unsupported("cannot merge at " + site.name() + ": its weight "
                        + site.weight().name() + " is shared by " + String.join(" and ", sharing)
                        + ", and a merge would change all of them; keep the adapter as an overlay");
            }
        }
    }

    private void merge(Site site, SiteOverlay acting) {
        try (Scope _ = Scope.open()) {
            TrainedModule whole = acting.whole();
            if (site.weight().quantized()) {
                double lost = Quantized.error(
                        site.weight().checkpoint(), site.weight().frozen());
                baseError = Math.max(baseError, lost);
            }
            boolean turned = site instanceof Linear linear && linear.fanInFanOut();
            Tensor stored =
                    whole != null ? whole.master() : Tensors.to(site.weight().frozen(), DType.F32);
            Tensor matrix = turned ? stored.t() : stored;
            Tensor change = torch(matrix, acting);
            Tensor exact = matrix.add(change);
            Tensor rounded = Tensors.to(exact, options.dtype());
            Tensor error = Tensors.to(rounded, DType.F32).sub(exact);
            double size = change.norm().item_double();
            errors.add(new SiteError(
                    site.name(),
                    error.abs().max().item_double(),
                    size == 0 ? 0 : error.norm().item_double() / size));
            put(site.weight(), turned ? rounded.t().contiguous() : rounded);
            mergeBias(site, acting);
        }
    }

    private static Tensor torch(Tensor matrix, SiteOverlay acting) {
        Tensor sum = matrix.sub(matrix);
        for (SiteOverlay.Part part : acting.parts()) {
            try (Scalar weight = new Scalar(part.weight())) {
                sum.add_(part.adapter().change(matrix).mul(weight));
            }
        }
        return sum;
    }

    private void mergeBias(Site site, SiteOverlay acting) {
        Tensor sum = null;
        for (SiteOverlay.Part part : acting.parts()) {
            Tensor change = part.adapter().biasChange().orElse(null);
            if (change != null) {
                try (Scalar weight = new Scalar(part.weight())) {
                    Tensor scaled = change.mul(weight);
                    sum = sum == null ? scaled : sum.add(scaled);
                }
            }
        }
        if (sum == null) {
            return;
        }
        Parameter bias = site instanceof Linear linear ? linear.bias() : null;
        if (bias == null) {
            throw new LoricaException.Unsupported("cannot merge at " + site.name()
                    + ": the adapter adds a bias (lora_bias) and the site has none to take it; keep it as an overlay");
        }
        put(bias, Tensors.to(Tensors.to(bias.value(), DType.F32).add(sum), options.dtype()));
    }

    /** A module trained whole, as a fixed value of the chosen precision. */
    private void fix(TrainedModule module) {
        if (!overridden.contains(module.parameter())) {
            put(module.parameter(), Tensors.to(module.master().detach(), options.dtype()));
        }
    }

    private void put(Parameter parameter, Tensor value) {
        Tensor kept = Scope.release(Tensors.to(value.detach(), model.dtype()));
        owned.add(kept);
        parameter.override(kept);
        overridden.add(parameter);
    }
}
