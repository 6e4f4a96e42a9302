package io.lorica.adapter;

import io.lorica.model.GgufLayout;
import io.lorica.model.Linear;
import io.lorica.tensor.DType;
import io.lorica.tensor.GgufFile;
import io.lorica.tensor.Grad;
import io.lorica.tensor.LoricaException;
import io.lorica.tensor.Scope;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SequencedMap;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;

/**
 * An adapter as a GGUF file for llama.cpp's {@code --lora}: for each site {@code blk.N.NAME.weight.lora_a: [r, in]} and
 * {@code ….lora_b: [out, r]}, and {@code adapter.lora.alpha}.
 *
 * <p>llama.cpp adds {@code alpha / r * B A} with one alpha for all and each site's own r. Sites that scale otherwise get
 * the rest multiplied into B. The rows of B follow those of the base's weight, which {@link GgufLayout} orders.
 */
public final class GgufAdapter {
    private static final Map<DType, Integer> FILE_TYPES = Map.of(DType.F32, 0, DType.F16, 1, DType.BF16, 32);

    private GgufAdapter() {}

    /**
     * Writes an adapter; every method whose sites add plain low-rank products can be written.
     *
     * @param type F32, F16 or BF16
     * @return sites written
     * @throws LoricaException.Unsupported naming each part that GGUF has no form for
     */
    public static int write(Adapter adapter, Path file, DType type) {
        Integer fileType = FILE_TYPES.get(type);
        if (fileType == null) {
            throw new LoricaException.BadInput(
                    "a GGUF adapter holds float32, float16 or bfloat16, not " + type + "; choose one of these");
        }
        GgufLayout layout = GgufLayout.of(adapter.model().config());
        try (Scope _ = Scope.open();
                Grad _ = Grad.disabled()) {
            SequencedMap<String, Factors> parts = parts(adapter);
            double alpha = alpha(parts.firstEntry().getValue());
            SequencedMap<String, Tensor> tensors = new LinkedHashMap<>();
            parts.forEach((weight, factors) -> {
                String stored = GgufLayout.storedName(weight).orElseThrow();
                tensors.put(stored + ".lora_a", factors.a().detach());
                tensors.put(stored + ".lora_b", layout.stored(weight, scaled(factors, alpha)));
            });
            SequencedMap<String, Object> metadata = new LinkedHashMap<>();
            metadata.put("general.architecture", layout.architecture());
            metadata.put("general.type", "adapter");
            metadata.put("general.file_type", fileType);
            metadata.put("adapter.type", "lora");
            metadata.put("adapter.lora.alpha", (float) alpha);
            GgufFile.write(file, metadata, tensors, type);
            return parts.size();
        }
    }

    /** Factors by the name of their weight. */
    private static SequencedMap<String, Factors> parts(Adapter adapter) {
        List<String> faults = new ArrayList<>();
        adapter.replaced().forEach(name -> faults.add(name + " is replaced whole"));
        SequencedMap<String, Factors> parts = new LinkedHashMap<>();
        adapter.sites().forEach((name, part) -> {
            String weight = name + ".weight";
            boolean own = part.site().weight().name().equals(weight); // a tied head has none
            if (!(part.site() instanceof Linear)
                    || !own
                    || GgufLayout.storedName(weight).isEmpty()) {
                faults.add(name + " is no linear map with a weight of its own that GGUF has a name for");
                return;
            }
            part.plainProduct()
                    .ifPresentOrElse(
                            factors -> parts.put(weight, factors),
                            () -> faults.add(name + " adds more than a product B A"));
        });
        if (!faults.isEmpty() || parts.isEmpty()) {
            throw new LoricaException.Unsupported("a GGUF adapter holds low-rank products only, and method '"
                    + adapter.config().method().info().name() + "' here has "
                    + (faults.isEmpty() ? "no sites" : faults.size() + " other parts:\n  ")
                    + String.join("\n  ", faults.subList(0, Math.min(8, faults.size())))
                    + "\nmerge it with 'lorica adapter merge' and convert the model instead");
        }
        return parts;
    }

    /** What gives the first site its scaling. llama.cpp takes 0 for "no alpha given", so that must not be written. */
    private static double alpha(Factors factors) {
        double alpha = factors.scaling() * factors.a().size(0);
        return alpha == 0 ? 1 : alpha;
    }

    private static Tensor scaled(Factors factors, double alpha) {
        double rest = factors.scaling() * factors.a().size(0) / alpha;
        Tensor b = factors.b().detach();
        if (Math.abs(rest - 1) < 1e-12) {
            return b;
        }
        try (Scalar factor = new Scalar(rest)) {
            return b.mul(factor);
        }
    }
}
