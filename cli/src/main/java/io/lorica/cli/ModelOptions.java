package io.lorica.cli;

import io.lorica.model.WeightFormat;
import io.lorica.tensor.DType;
import io.lorica.tensor.LoricaException;
import java.util.Optional;
import org.bytedeco.pytorch.global.torch;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Option;

/** A base model and how it is held: options of every command that runs one. */
final class ModelOptions {

    @Option(
            names = "--model",
            required = true,
            paramLabel = "REF",
            description = "Base model: catalogue name, directory, GGUF file or hub id.")
    @SuppressWarnings("NullAway.Init")
    String model;

    @Option(names = "--dtype", description = "What the base computes in: float32, bfloat16, float16 or float64.")
    @Nullable
    String dtype;

    @Option(
            names = "--weights",
            paramLabel = "FORMAT",
            description = "How the base is held: int8, int4, int4-64, int4-128, nf4, gguf (the file's own blocks), or"
                    + " dense, which a dtype such as bf16 means too.")
    @Nullable
    String weights;

    @Option(
            names = "--threads",
            paramLabel = "N",
            description = "Threads of the tensor library (default: its own choice).")
    int threads;

    /** @param preferred where nothing is said */
    DType dtype(String preferred) {
        Optional<DType> dense = dense(weights);
        if (dense.isPresent() && dtype != null && DType.parse(dtype) != dense.get()) {
            throw new LoricaException.BadInput(
                    "--dtype " + dtype + " and --weights " + weights + " exclude each other; leave one out");
        }
        return dense.orElseGet(() -> DType.parse(dtype == null ? preferred : dtype));
    }

    void useThreads() {
        if (threads > 0) {
            torch.set_num_threads(threads);
        }
    }

    WeightFormat format() {
        return weights == null || dense(weights).isPresent() ? WeightFormat.DENSE : WeightFormat.parse(weights);
    }

    /** The dtype that a value of {@code --weights} names, where it names one. */
    static Optional<DType> dense(@Nullable String weights) {
        if (weights == null) {
            return Optional.empty();
        }
        try {
            return Optional.of(DType.parse(weights));
        } catch (LoricaException.BadInput _) {
            return Optional.empty(); // then it is a format, or WeightFormat says that it is neither
        }
    }
}
