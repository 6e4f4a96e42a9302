package io.lorica.adapter;

import io.lorica.model.ImageTokens;
import io.lorica.model.Parameter;
import io.lorica.model.Site;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Optional;
import java.util.SequencedMap;
import java.util.function.Supplier;
import org.bytedeco.pytorch.Tensor;

/** What the sites of one adapter have in common: tensors and whatever a method's own implementation adds. */
public interface Shared extends AutoCloseable {

    Shared NOTHING = LinkedHashMap::new;

    /**
     * Tensors that there are once for the whole adapter, by what follows {@code base_model.} in their key (as PEFT does
     * for VeRA's {@code base_model.vera_A}). float32, owned by this object.
     */
    SequencedMap<String, Tensor> tensors();

    /** Those of {@link #tensors} that are in the adapter's file; a seed brings the others back. */
    default SequencedMap<String, Tensor> saved() {
        return tensors();
    }

    /** Whether the optimizer moves that tensor. */
    default boolean trainable(String key) {
        return false;
    }

    /** How the optimizer treats that tensor. */
    default Trainable.Role role(String key) {
        return Trainable.Role.A;
    }

    /** Weights of the base that this adapter replaces whole while it is active, with their values in the base's dtype. */
    default SequencedMap<Parameter, Supplier<Tensor>> replaced() {
        return new LinkedHashMap<>();
    }

    /** Parts on whole feed-forward blocks, which act while the adapter is active; they are known once all sites are adapted. */
    default List<BlockAdapter> blocks() {
        return List.of();
    }

    /** Further tokens of images, for a model that reads them; they act while the adapter is active. */
    default Optional<ImageTokens> imageTokens() {
        return Optional.empty();
    }

    /** Whether that site gets a part; one that is not worth a rank stays as it is, and out of the file's targets. */
    default boolean adapts(Site site) {
        return true;
    }

    @Override
    default void close() {
        tensors().values().forEach(Tensor::close);
    }
}
