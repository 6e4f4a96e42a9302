package io.lorica.adapter;

import io.lorica.model.Pass;
import io.lorica.model.Site;
import java.util.SequencedMap;
import org.bytedeco.pytorch.Tensor;

/** An adapter's part on one site: its tensors and its arithmetic. */
public interface SiteAdapter extends AutoCloseable {

    Site site();

    /**
     * What is saved, by key suffix as PEFT writes it ({@code lora_A.weight}). All float32 masters, owned by this
     * object.
     */
    SequencedMap<String, Tensor> tensors();

    /** Whether the optimizer moves that tensor. */
    default boolean trainable(String suffix) {
        return true;
    }

    /** How the optimizer treats that tensor. */
    default Trainable.Role role(String suffix) {
        return suffix.startsWith("lora_B") ? Trainable.Role.B : Trainable.Role.A;
    }

    /**
     * Adds this adapter to a site's output.
     *
     * @param input what went into the site: {@code [..., in]}, or ids for an embedding
     * @param result the site's frozen output plus the adapters applied so far, {@code [..., out]}
     * @param weight factor on this adapter's contribution (1 but in blends)
     * @return the new output, in the dtype of {@code result}, owned by the caller's innermost scope
     */
    Tensor apply(Tensor input, Tensor result, double weight, Pass pass);

    /**
     * The weight that computes the same as frozen weight and this adapter together.
     *
     * @param matrix {@code [out, in]} float32 ({@code [num, dim]} for an embedding)
     * @return same shape, float32, owned by the caller's innermost scope
     * @throws io.lorica.tensor.LoricaException.Unsupported where no such weight exists
     */
    Tensor merged(Tensor matrix, double weight);

    @Override
    default void close() {
        tensors().values().forEach(Tensor::close);
    }
}
