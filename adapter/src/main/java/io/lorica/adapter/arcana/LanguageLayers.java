package io.lorica.adapter.arcana;

import io.lorica.adapter.Shared;
import io.lorica.adapter.Trainable;
import io.lorica.model.ImageTokens;
import io.lorica.model.Site;
import java.util.LinkedHashMap;
import java.util.Objects;
import java.util.Optional;
import java.util.SequencedMap;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/**
 * Where MM-LoRA acts, since CLIP's maps have the same names as a language model's, and the ladder that goes with it.
 *
 * @param seesImages whether the model reads images
 * @param start of the names in the layers of its language model
 * @param ladder null where there is none
 */
record LanguageLayers(
        boolean seesImages, String start, @Nullable Ladder ladder) implements Shared {

    LanguageLayers with(Ladder added) {
        return new LanguageLayers(seesImages, start, added);
    }

    @Override
    public SequencedMap<String, Tensor> tensors() {
        return ladder == null ? new LinkedHashMap<>() : ladder.tensors();
    }

    @Override
    public boolean trainable(String key) {
        return Objects.requireNonNull(ladder).trainable(key);
    }

    @Override
    public Trainable.Role role(String key) {
        return Objects.requireNonNull(ladder).role(key);
    }

    @Override
    public Optional<ImageTokens> imageTokens() {
        return Optional.ofNullable(ladder);
    }

    @Override
    public boolean adapts(Site site) {
        return !seesImages || site.name().startsWith(start);
    }
}
