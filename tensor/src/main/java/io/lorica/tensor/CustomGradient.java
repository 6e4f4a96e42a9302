package io.lorica.tensor;

import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.Set;
import org.bytedeco.javacpp.Pointer;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.Edge;
import org.bytedeco.pytorch.FunctionPreHook;
import org.bytedeco.pytorch.GradMode;
import org.bytedeco.pytorch.Node;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorVector;
import org.bytedeco.pytorch.global.torch;
import org.jspecify.annotations.Nullable;

/**
 * An operation whose backward pass is written by hand, for results that libtorch could differentiate only by keeping more
 * than is needed.
 *
 * <pre>{@code
 * Tensor y = exp(x.detach());                       // computed without recording
 * return CustomGradient.attach(y, List.of(x), List.of(y), (dy, saved, needed) -> List.of(dy.mul(saved.getFirst())));
 * }</pre>
 */
public final class CustomGradient {
    /*
     * libtorch's way to define such an operation is a C++ template, which has no Java mapping. What is mapped are hooks
     * on the nodes of the graph that may replace gradients. The node of an alias hands its gradient on as it is; so that
     * of an alias of the input is made the producer of the value, a hook before it computes all gradients, and the
     * next puts the input's in the place of the value's. With several inputs, the node of a concatenation of nothing gives
     * an empty gradient to each of their aliases. No pass over the value is needed.
     *
     * Java's side of a hook is only weakly held by the native one, so the outermost scope holds it until it has run.
     */

    /** The backward pass. Runs on the thread of the backward pass with recording off; it may turn it on for itself. */
    @FunctionalInterface
    public interface Backward {
        /**
         * @param gradient of the output
         * @param saved the tensors given to {@link #attach}
         * @param needed which inputs need a gradient
         * @return gradients by input, anything where none is needed; owned by the caller's innermost scope
         */
        List<Tensor> gradients(Tensor gradient, List<Tensor> saved, List<Boolean> needed);
    }

    private CustomGradient() {}

    /** Whether a backward pass may come back to one of these. */
    public static boolean records(Tensor... inputs) {
        if (!GradMode.is_enabled()) {
            return false;
        }
        for (Tensor input : inputs) {
            if (input.requires_grad()) {
                return true;
            }
        }
        return false;
    }

    /**
     * Makes a value known to the graph as computed from {@code inputs}.
     *
     * @param value without history
     * @param inputs where none needs a gradient, the value stays without history
     * @param saved tensors for the backward pass, kept until it has run or the thread's outermost scope closes
     * @return a handle to {@code value}'s storage, owned by the caller's innermost scope
     */
    public static Tensor attach(Tensor value, List<Tensor> inputs, List<Tensor> saved, Backward backward) {
        List<Boolean> needed = inputs.stream().map(Tensor::requires_grad).toList();
        if (!GradMode.is_enabled() || !needed.contains(true)) {
            return value;
        }
        try (Scope scope = Scope.open()) {
            Call call = new Call(backward, saved, needed, Scope.guests());
            List<Node> aliases = new ArrayList<>();
            for (int i = 0; i < inputs.size(); i++) {
                if (needed.get(i)) {
                    aliases.add(inputs.get(i).alias().grad_fn());
                }
            }
            Tensor output = value.detach(); // the value may be a view, which has a history of its own
            distribute(output, aliases).add_pre_hook(call.compute());
            int alias = 0;
            for (int i = 0; i < inputs.size(); i++) {
                if (needed.get(i)) {
                    aliases.get(alias++).add_pre_hook(call.handOver(i));
                }
            }
            return scope.keep(output);
        }
    }

    /** Makes a node the producer of {@code value} that gives a gradient to every one of {@code aliases}. */
    private static Node distribute(Tensor value, List<Node> aliases) {
        Node all = aliases.getFirst();
        if (aliases.size() > 1) {
            Tensor nothing = Tensors.zeros(DType.F32, 0).requires_grad_(true);
            TensorVector parts = new TensorVector(aliases.size());
            for (int i = 0; i < aliases.size(); i++) {
                parts.put(i, nothing);
                produce(nothing.detach(), aliases.get(i));
            }
            all = torch.cat(parts, 0).grad_fn();
            for (int i = 0; i < aliases.size(); i++) {
                all.set_next_edge(i, new Edge(aliases.get(i), 0));
            }
        }
        produce(value, all);
        return all;
    }

    private static void produce(Tensor value, Node node) {
        node.clear_input_metadata();
        torch.create_gradient_edge(value, node);
    }

    /** One recorded operation: what it keeps and the hooks that wait for its backward pass. */
    private static final class Call implements AutoCloseable {
        private final Backward backward;
        private final List<Boolean> needed;
        private final Set<AutoCloseable> guests;
        private final List<Tensor> saved = new ArrayList<>();
        private final List<@Nullable Tensor> gradients = new ArrayList<>();
        private final List<Object> hooks = new ArrayList<>();
        private int waiting;

        Call(Backward backward, List<Tensor> saved, List<Boolean> needed, Set<AutoCloseable> guests) {
            this.backward = backward;
            this.needed = needed;
            this.guests = guests;
            saved.forEach(tensor -> this.saved.add(Scope.release(tensor.detach())));
            guests.add(this);
        }

        FunctionPreHook compute() {
            return own(new Compute(this));
        }

        FunctionPreHook handOver(int input) {
            waiting++;
            return own(new HandOver(this, input));
        }

        /** Takes a hook out of every scope: the node that it is added to will own it. */
        private <T extends Pointer> T own(T hook) {
            hook.retainReference();
            PointerScope inner = PointerScope.getInnerScope();
            if (inner != null) {
                inner.detach(hook);
            }
            hooks.add(hook);
            return hook;
        }

        void run(Tensor gradient) {
            if (saved.isEmpty() && !gradients.isEmpty()) {
                throw new LoricaException.Internal(
                        "the backward pass of an operation ran twice; it frees what it needs");
            }
            try (Scope _ = Scope.open();
                    Grad _ = Grad.disabled()) {
                List<Tensor> computed = backward.gradients(gradient, List.copyOf(saved), needed);
                for (int i = 0; i < needed.size(); i++) {
                    gradients.add(needed.get(i) ? Scope.release(computed.get(i)) : null);
                }
            }
            saved.forEach(Tensor::close);
            saved.clear();
        }

        TensorVector take(int input) {
            Tensor gradient = Objects.requireNonNull(gradients.get(input), "the output's hook did not run");
            TensorVector vector = new TensorVector(gradient);
            gradient.close();
            gradients.set(input, null);
            if (--waiting == 0) {
                guests.remove(this);
            }
            return vector;
        }

        @Override
        public void close() {
            saved.forEach(Tensor::close);
            gradients.stream().filter(Objects::nonNull).forEach(Tensor::close);
        }
    }

    private static final class Compute extends FunctionPreHook {
        private final Call call;

        Compute(Call call) {
            this.call = call;
        }

        @Override
        public TensorVector apply(TensorVector outputGradients) {
            call.run(outputGradients.get(0));
            return outputGradients;
        }
    }

    private static final class HandOver extends FunctionPreHook {
        /** libtorch copies what a hook returns after it has returned, so each call frees what the last one gave. */
        private static final ThreadLocal<@Nullable TensorVector> GIVEN = new ThreadLocal<>();

        private final Call call;
        private final int input;

        HandOver(Call call, int input) {
            this.call = call;
            this.input = input;
        }

        @Override
        public TensorVector apply(TensorVector outputGradients) {
            TensorVector before = GIVEN.get();
            if (before != null) {
                before.close();
            }
            TensorVector given = call.take(input);
            given.retainReference();
            PointerScope inner = PointerScope.getInnerScope();
            if (inner != null) {
                inner.detach(given);
            }
            GIVEN.set(given);
            return given;
        }
    }
}
