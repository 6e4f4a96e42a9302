package io.lorica.tensor;

import org.bytedeco.pytorch.Dispatcher;
import org.bytedeco.pytorch.IValue;
import org.bytedeco.pytorch.IValueVector;
import org.bytedeco.pytorch.OperatorHandle;
import org.bytedeco.pytorch.Tensor;

/**
 * Any ATen operator by its schema name, for those that the Java mapping lacks.
 *
 * <pre>{@code Tensor y = Aten.op("aten::_weight_int4pack_mm_for_cpu", "").call(x, packed, 32L, scales)}</pre>
 *
 * Slower per call than a mapped method (arguments are boxed), so it is for large operations.
 */
public final class Aten {
    private final OperatorHandle handle;

    private Aten(OperatorHandle handle) {
        this.handle = handle;
    }

    /** Finds an operator; libtorch's own error names an unknown one. */
    public static Aten op(String name, String overload) {
        OperatorHandle handle = Dispatcher.singleton().findSchemaOrThrow(name, overload);
        return new Aten(handle.retainReference());
    }

    /**
     * Calls it.
     *
     * @param arguments all of the schema's arguments in order: {@link Tensor}, {@link Long}, {@link Integer},
     *     {@link Double}, {@link Boolean}, {@link IValue}, or {@code IValue} none for an absent optional
     * @return the first result, owned by the caller's innermost scope
     */
    public Tensor call(Object... arguments) {
        try (Scope scope = Scope.open()) {
            IValueVector stack = new IValueVector();
            for (Object argument : arguments) {
                stack.push_back(box(argument));
            }
            handle.callBoxed(stack);
            if (stack.empty() || !stack.get(0).isTensor()) {
                throw new LoricaException.Internal("an operator without a tensor as first result was called for one");
            }
            return scope.keep(stack.get(0).toTensor());
        }
    }

    private static IValue box(Object argument) {
        return switch (argument) {
            case IValue value -> value;
            case Tensor tensor -> new IValue(tensor);
            case Long number -> new IValue(number.longValue());
            case Integer number -> new IValue(number.longValue());
            case Double number -> new IValue(number.doubleValue());
            case Boolean flag -> new IValue(flag.booleanValue());
            default ->
                throw new LoricaException.Internal(
                        "an operator argument of " + argument.getClass() + " cannot be boxed");
        };
    }
}
