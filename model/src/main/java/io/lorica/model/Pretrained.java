package io.lorica.model;

import io.lorica.tensor.LoricaException;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;

/**
 * A model that is ready to use, with its tokenizer and where it came from. Closing frees both.
 *
 * <p>Made by {@link ModelStore#open}. One thread owns it, as it owns the model.
 */
public final class Pretrained implements AutoCloseable {
    private final ModelStore.Located located;
    private final ModelFiles files;
    private final BaseModel model;
    private @Nullable Tokenizer tokenizer;

    /** @param model becomes this object's, and is closed with it */
    Pretrained(ModelStore.Located located, ModelFiles files, BaseModel model) {
        this.located = located;
        this.files = files;
        this.model = model;
    }

    /** What the person asked for. */
    public String reference() {
        return located.reference();
    }

    /** The Hugging Face directory or GGUF file. */
    public Path path() {
        return located.path();
    }

    /** Where it was obtained, in words. */
    public String origin() {
        return located.origin();
    }

    /** The files it was read from: configuration, end tokens, licence. */
    public ModelFiles files() {
        return files;
    }

    public BaseModel model() {
        return model;
    }

    /** @throws LoricaException.Incompatible if the model does not predict next tokens */
    public CausalModel causal() {
        if (model instanceof CausalModel causal) {
            return causal;
        }
        throw new LoricaException.Incompatible(
                reference() + " is a " + model.config().modelType()
                        + (model instanceof ClassifierModel ? " classifier" : " model")
                        + ", which does not generate text; use a causal model such as "
                        + "smollm2-135m-instruct");
    }

    /** @throws LoricaException.Incompatible if the model scores no labels */
    public ClassifierModel classifier() {
        if (model instanceof ClassifierModel classifier) {
            return classifier;
        }
        throw new LoricaException.Incompatible(
                reference() + " is a " + model.config().modelType()
                        + " model without a classification head; name an adapter that was trained with task_type SEQ_CLS");
    }

    /**
     * The tokenizer, read at the first call; closed with this object.
     *
     * @throws LoricaException.NotFound if the model's files hold none
     */
    public Tokenizer tokenizer() {
        Tokenizer loaded = tokenizer;
        if (loaded == null) {
            loaded = files.tokenizer();
            tokenizer = loaded;
        }
        return loaded;
    }

    @Override
    public void close() {
        if (tokenizer != null) {
            tokenizer.close();
        }
        model.close();
    }
}
