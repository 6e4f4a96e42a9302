package io.lorica.adapter.arcana;

import io.lorica.adapter.Shared;
import io.lorica.model.Site;
import java.util.LinkedHashMap;
import java.util.SequencedMap;
import org.bytedeco.pytorch.Tensor;

/**
 * Where MM-LoRA acts: CLIP's maps have the same names as a language model's.
 *
 * @param seesImages whether the model reads images
 * @param start of the names in the layers of its language model
 */
record LanguageLayers(boolean seesImages, String start) implements Shared {

    @Override
    public SequencedMap<String, Tensor> tensors() {
        return new LinkedHashMap<>();
    }

    @Override
    public boolean adapts(Site site) {
        return !seesImages || site.name().startsWith(start);
    }
}
