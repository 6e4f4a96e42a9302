package io.lorica.train.fewshot;

import io.lorica.model.Batch;
import io.lorica.model.ImageTextModel;
import io.lorica.model.Pass;
import io.lorica.model.Tokenizer;
import io.lorica.tensor.LoricaException;
import io.lorica.tensor.Scope;
import java.util.List;
import org.bytedeco.pytorch.Tensor;

/** The classes as texts, encoded for a text tower. */
final class Captions {
    private final List<long[]> ids;

    /** @param template with {@code {}} where the class goes, for example {@code a photo of a {}.} */
    Captions(List<String> classes, String template, Tokenizer tokenizer, int contextLength) {
        if (!template.contains("{}")) {
            throw new LoricaException.BadInput(
                    "the template '" + template + "' has no {} for the class; write for example 'a photo of a {}.'");
        }
        ids = classes.stream()
                .map(name -> tokenizer.encode(template.replace("{}", name), true))
                .toList();
        for (int i = 0; i < ids.size(); i++) {
            if (ids.get(i).length > contextLength) {
                throw new LoricaException.BadInput("the caption of class '" + classes.get(i) + "' has "
                        + ids.get(i).length + " tokens, but the text tower has " + contextLength
                        + " positions; shorten the template or the class's name");
            }
        }
    }

    /** Normalised features, {@code [classes, features]}, owned by the caller's innermost scope. */
    Tensor features(ImageTextModel model, Pass pass) {
        try (Scope scope = Scope.open()) {
            return scope.keep(ImageTextModel.normalised(model.textFeatures(Batch.of(ids), pass)));
        }
    }
}
