package io.lorica.adapter.lowrank;

import io.lorica.adapter.Factors;
import io.lorica.tensor.Scope;
import java.util.LinkedHashMap;
import java.util.SequencedMap;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorVector;
import org.bytedeco.pytorch.global.torch;
import org.jspecify.annotations.Nullable;

/**
 * The factors of one linear site, {@code A: [r, in]} and {@code B: [out, r]}, float32 masters.
 *
 * <p>Where a method starts from something else than {@code B A = 0} (see {@link Start#residual}), the frozen factors
 * {@code A0}, {@code B0} of the start are taken off again: {@code y = W x + b + s (B A - B0 A0) x}. The same as training
 * on the residual {@code W - s B0 A0}, but the base stays as it is, so that adapters can be stacked and switched. Such a
 * pair is saved as {@code A' = [A; A0]}, {@code B' = [B, -B0]} of twice the rank, right on the unchanged base.
 */
public final class Pair {
    public static final String A = "lora_A.weight";
    public static final String B = "lora_B.weight";
    private static final String A_START = "lora_A.start";
    private static final String B_START = "lora_B.start";

    private final SequencedMap<String, Tensor> tensors = new LinkedHashMap<>();
    private final Tensor a;
    private final Tensor b;
    private final @Nullable Tensor startA;
    private final @Nullable Tensor startB;
    private final double scaling;

    /** Takes the start's tensors over. */
    public Pair(Start start, double scaling) {
        this.scaling = scaling;
        a = own(A, start.a());
        b = own(B, start.b());
        try (Scope _ = Scope.open()) {
            startA = start.residual() ? own(A_START, Scope.release(a.clone())) : null;
            startB = start.residual() ? own(B_START, Scope.release(b.clone())) : null;
        }
    }

    private Tensor own(String suffix, Tensor tensor) {
        tensors.put(suffix, tensor);
        return tensor;
    }

    /** By suffix; those of the start included, since a checkpoint must hold them. */
    public SequencedMap<String, Tensor> tensors() {
        return tensors;
    }

    /** Whether that suffix is a frozen factor of the start. */
    public static boolean isStart(String suffix) {
        return suffix.equals(A_START) || suffix.equals(B_START);
    }

    /** What is right on the unchanged base, by suffix. */
    public SequencedMap<String, Tensor> saved() {
        SequencedMap<String, Tensor> saved = new LinkedHashMap<>();
        saved.put(A, wideA());
        saved.put(B, wideB());
        return saved;
    }

    public Tensor a() {
        return a;
    }

    public Tensor b() {
        return b;
    }

    /** {@code s}. */
    public double scaling() {
        return scaling;
    }

    /** {@code [A; A0]}, or A alone. */
    public Tensor wideA() {
        return startA == null ? a : torch.cat(new TensorVector(a, startA), 0);
    }

    /** {@code [B, -B0]}, or B alone. */
    public Tensor wideB() {
        return startB == null ? b : torch.cat(new TensorVector(b, startB.neg()), 1);
    }

    /** Adds {@code weight s (B A - B0 A0) x} to {@code result}. */
    public Tensor add(Tensor result, Tensor x, double weight) {
        return LowRank.add(result, x, wideA(), wideB(), scaling * weight);
    }

    /** The product as it is on the unchanged base. */
    public Factors factors() {
        return new Factors(wideA(), wideB(), scaling);
    }

    /** {@code s (B A - B0 A0)}, {@code [out, in]}. */
    public Tensor product() {
        return LowRank.times(wideB(), scaling).mm(wideA());
    }
}
