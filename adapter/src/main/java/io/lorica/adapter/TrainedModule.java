package io.lorica.adapter;

import io.lorica.model.Parameter;
import io.lorica.model.Site;
import io.lorica.tensor.DType;
import io.lorica.tensor.Grad;
import io.lorica.tensor.Scope;
import io.lorica.tensor.Tensors;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/**
 * A parameter of the base that an adapter trains and saves whole ({@code modules_to_save}, {@code bias}): a float32
 * copy that stands in the frozen value's place while the adapter is active, cast to the base's dtype on each use.
 *
 * @param key its full key in the adapter file
 * @param site the site whose weight alone is replaced, where another site shares the parameter; else null
 * @param master float32, owned by this object
 */
record TrainedModule(
        String key, Parameter parameter, @Nullable Site site, Tensor master) implements AutoCloseable {

    static TrainedModule copy(String key, Parameter parameter, @Nullable Site site) {
        try (Scope _ = Scope.open();
                Grad _ = Grad.disabled()) {
            Tensor copy = Tensors.to(parameter.frozen(), DType.F32).clone();
            return new TrainedModule(key, parameter, site, Scope.release(copy));
        }
    }

    /** The value in the base's dtype: a cast that gradients flow through. Owned by the caller's innermost scope. */
    Tensor value() {
        return Tensors.to(master, parameter.dtype());
    }

    @Override
    public void close() {
        master.close();
    }
}
