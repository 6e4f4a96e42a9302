package io.lorica.adapter.lowrank;

import io.lorica.tensor.CustomGradient;
import io.lorica.tensor.DType;
import io.lorica.tensor.Grad;
import io.lorica.tensor.Tensors;
import java.util.ArrayList;
import java.util.List;
import org.bytedeco.pytorch.BoolOptional;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorArrayRefOptional;
import org.bytedeco.pytorch.global.torch;

/**
 * A branch {@code x D^T} whose change of weight {@code D: [out, in]} is computed from few trained numbers.
 *
 * <p>{@code D} is as large as the frozen weight. It is computed again in the backward pass instead of being kept for it, so
 * that a step holds one {@code D} at a time and not one per site:
 * {@code dx = dy D}, {@code dD = dy^T x}, and from there libtorch differentiates {@code form}.
 */
public final class WeightChange {
    private WeightChange() {}

    /** How the change follows from the trained tensors. */
    @FunctionalInterface
    public interface Form {
        /** {@code [out, in]}, differentiable in {@code trained}; owned by the caller's innermost scope. */
        Tensor of(List<Tensor> trained);
    }

    /**
     * {@code result + weight * x D^T} in the dtype of {@code result}.
     *
     * @param x {@code [..., in]}
     * @param result {@code [..., out]}
     */
    public static Tensor add(Tensor result, Tensor x, double weight, List<Tensor> trained, Form form) {
        DType type = DType.of(result);
        Tensor input = Tensors.to(x, type);
        Tensor value;
        try (Grad _ = Grad.disabled()) {
            Tensor change = Tensors.to(form.of(trained), type);
            value = result.add(torch.linear(LowRank.times(input, weight), change));
        }
        List<Tensor> inputs = new ArrayList<>(List.of(result, input));
        inputs.addAll(trained);
        List<Tensor> saved = new ArrayList<>(List.of(input));
        saved.addAll(trained);
        return CustomGradient.attach(
                value, inputs, saved, (dy, kept, needed) -> gradients(dy, kept, weight, needed.get(1), form));
    }

    private static List<Tensor> gradients(Tensor dy, List<Tensor> kept, double weight, boolean inputNeeded, Form form) {
        Tensor input = kept.getFirst();
        Tensor scaled = LowRank.times(dy, weight);
        Tensor rows = scaled.reshape(-1, scaled.size(-1));
        List<Tensor> leaves = kept.stream()
                .skip(1)
                .map(tensor -> tensor.detach().requires_grad_(true))
                .toList();
        Tensor change;
        try (Grad _ = Grad.enabled()) {
            change = form.of(leaves);
        }
        List<Tensor> gradients = new ArrayList<>();
        gradients.add(dy);
        gradients.add(inputNeeded ? scaled.matmul(Tensors.to(change.detach(), DType.of(dy))) : dy);
        Tensor outer = rows.t().mm(input.reshape(-1, input.size(-1)));
        change.backward(Tensors.to(outer, DType.of(change)), new BoolOptional(), false, new TensorArrayRefOptional());
        leaves.forEach(leaf -> gradients.add(leaf.grad()));
        return gradients;
    }
}
