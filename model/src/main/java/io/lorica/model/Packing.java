package io.lorica.model;

import io.lorica.tensor.DType;
import io.lorica.tensor.Grad;
import io.lorica.tensor.Memory;
import io.lorica.tensor.Quantized;
import io.lorica.tensor.Scope;
import io.lorica.tensor.TensorSource;
import io.lorica.tensor.Tensors;
import java.util.Optional;
import java.util.stream.LongStream;
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
    private int packed;

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
        if (++packed % 16 == 0) {
            Memory.trim(); // what quantizing leaves behind would otherwise add up to more than the model
        }
        return switch (format.kind()) {
            case DENSE -> Optional.empty();
            case GGUF -> source.quantized(name).map(blocks -> new PackedWeight(blocks, dtype, turned, scratch));
            case INT8, INT4, NF4 -> {
                if (role == Role.VOCABULARY) {
                    yield packVocabulary(source, name);
                }
                try (Scope _ = Scope.open();
                        Grad _ = Grad.disabled()) {
                    Tensor stored = source.read(name);
                    yield quantize(turned ? stored.t() : stored)
                            .map(held -> new PackedWeight(held, dtype, turned, scratch));
                }
            }
        };
    }

    /** A table of many rows: in 8 bits, or dense where the format leaves it so. */
    private Optional<PackedWeight> packVocabulary(TensorSource source, String name) {
        long[] shape = source.info(name).shape();
        if (format.kind() == WeightFormat.Kind.NF4 || !Quantized.fitsInt8(shape[0], shape[1])) {
            return Optional.empty();
        }
        Optional<Quantized> blocks = source.quantized(name);
        try (Scope _ = Scope.open()) {
            // a file's own blocks are decoded part by part; other tensors are mapped already
            Quantized.RowReader reader = blocks.isPresent()
                    ? (from, count) -> blocks.get().lookUp(range(from, count), DType.F32)
                    : rowsOf(source.read(name));
            return Optional.of(
                    new PackedWeight(Quantized.int8(shape[0], shape[1], reader, dtype), dtype, false, scratch));
        } finally {
            blocks.ifPresent(Quantized::close);
        }
    }

    private static Quantized.RowReader rowsOf(Tensor weight) {
        return (from, count) -> weight.narrow(0, from, count);
    }

    private static Tensor range(long from, long count) {
        return Tensors.of(LongStream.range(from, from + count).toArray());
    }

    private Optional<Quantized> quantize(Tensor w) {
        long rows = w.size(0);
        long columns = w.size(1);
        if (format.kind() == WeightFormat.Kind.NF4) {
            return Quantized.fitsNf4(rows, columns) ? Optional.of(Quantized.nf4(w)) : Optional.empty();
        }
        if (format.kind() == WeightFormat.Kind.INT4 && Quantized.fitsInt4(rows, columns, format.group())) {
            return Optional.of(Quantized.int4(w, format.group(), dtype));
        }
        return Quantized.fitsInt8(rows, columns) ? Optional.of(Quantized.int8(w, dtype)) : Optional.empty();
    }
}
