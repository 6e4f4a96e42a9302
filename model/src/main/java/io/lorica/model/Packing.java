package io.lorica.model;

import io.lorica.tensor.DType;
import io.lorica.tensor.Grad;
import io.lorica.tensor.Quantized;
import io.lorica.tensor.Scope;
import io.lorica.tensor.TensorSource;
import java.util.Optional;
import org.bytedeco.pytorch.Tensor;

/** Chooses, under one {@link WeightFormat}, how a matrix of a checkpoint is held. */
final class Packing {

    /** What a matrix is for: wide tables lose more of their meaning to few bits than the layers between them. */
    enum Role {
        LAYER,
        VOCABULARY
    }

    private final WeightFormat format;
    private final DType dtype;
    private final Scratch scratch = new Scratch();

    Packing(WeightFormat format, DType dtype) {
        this.format = format;
        this.dtype = dtype;
    }

    WeightFormat format() {
        return format;
    }

    Scratch scratch() {
        return scratch;
    }

    /**
     * @param turned whether the checkpoint has the matrix as {@code [in, out]}
     * @return empty where it stays dense
     */
    Optional<PackedWeight> pack(TensorSource source, String name, Role role, boolean turned) {
        return switch (format.kind()) {
            case DENSE -> Optional.empty();
            case GGUF -> source.quantized(name).map(blocks -> new PackedWeight(blocks, dtype, turned, scratch));
            case INT8, INT4, NF4 -> {
                try (Scope _ = Scope.open();
                        Grad _ = Grad.disabled()) {
                    Tensor stored = source.read(name);
                    yield quantize(turned ? stored.t() : stored, role)
                            .map(held -> new PackedWeight(held, dtype, turned, scratch));
                }
            }
        };
    }

    private Optional<Quantized> quantize(Tensor w, Role role) {
        long rows = w.size(0);
        long columns = w.size(1);
        if (format.kind() == WeightFormat.Kind.NF4) {
            return role == Role.LAYER && Quantized.fitsNf4(rows, columns)
                    ? Optional.of(Quantized.nf4(w))
                    : Optional.empty();
        }
        if (format.kind() == WeightFormat.Kind.INT4
                && role == Role.LAYER
                && Quantized.fitsInt4(rows, columns, format.group())) {
            return Optional.of(Quantized.int4(w, format.group(), dtype));
        }
        return Quantized.fitsInt8(rows, columns) ? Optional.of(Quantized.int8(w, dtype)) : Optional.empty();
    }
}
