package io.lorica.adapter;

import io.lorica.model.Pass;
import io.lorica.model.Site;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.SequencedMap;
import org.bytedeco.pytorch.Tensor;

/** An adapter's part on one site: its tensors and its arithmetic. */
public interface SiteAdapter extends AutoCloseable {

    Site site();

    /**
     * Every tensor that makes up its state, by key suffix as PEFT writes it ({@code lora_A.weight}): what the optimizer
     * moves and what a checkpoint must hold to go on exactly. float32, owned by this object.
     */
    SequencedMap<String, Tensor> tensors();

    /**
     * What is saved for use on the unchanged base, by key suffix. The default saves the state as it is.
     *
     * @return tensors that may be computed, owned by the caller's innermost scope or by this object
     */
    default SequencedMap<String, Tensor> saved() {
        return tensors();
    }

    /** Whether the optimizer moves that tensor. */
    default boolean trainable(String suffix) {
        return true;
    }

    /** How the optimizer treats that tensor: vectors and output factors {@code B}, all else {@code A}. */
    default Trainable.Role role(String suffix) {
        Tensor tensor = Objects.requireNonNull(tensors().get(suffix), suffix);
        return suffix.contains("_B") || tensor.dim() == 1 ? Trainable.Role.B : Trainable.Role.A;
    }

    /**
     * Adds this adapter to a site's output.
     *
     * @param input what went into the site: {@code [..., in]}, or ids for an embedding
     * @param base the site's frozen output, {@code [..., out]}
     * @param result {@code base} plus the adapters applied so far; the same object for the first
     * @param weight factor on this adapter's contribution (1 but in blends)
     * @return the new output, in the dtype of {@code result}, owned by the caller's innermost scope
     */
    Tensor apply(Tensor input, Tensor base, Tensor result, double weight, Pass pass);

    /**
     * What the weight must change by to compute the same as frozen weight and this adapter together.
     *
     * @param matrix the frozen weight, {@code [out, in]} float32 ({@code [num, dim]} for an embedding)
     * @return same shape, float32, owned by the caller's innermost scope
     * @throws io.lorica.tensor.LoricaException.Unsupported where no such weight exists
     */
    Tensor change(Tensor matrix);

    /** What the bias must change by, {@code [out]} float32; empty for methods that leave biases alone. */
    default Optional<Tensor> biasChange() {
        return Optional.empty();
    }

    /**
     * The product that outside training is all {@link #apply} adds; empty where it is anything else. Who overrides
     * {@code apply} below a class that has factors must answer anew here.
     *
     * @return tensors that may be computed, owned by the caller's innermost scope or by this object
     */
    default Optional<Factors> plainProduct() {
        return Optional.empty();
    }

    /** The experts that tokens are routed to, in their order; empty for a method that routes nothing. */
    default List<Factors> experts() {
        return List.of();
    }

    @Override
    default void close() {
        tensors().values().forEach(Tensor::close);
    }
}
