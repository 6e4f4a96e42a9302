package io.lorica.model;

import io.lorica.tensor.LoricaException;
import java.nio.file.Path;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.function.Function;

/**
 * A model that is ready to use, with its tokenizer and where it came from. Closing frees both.
 *
 * <p>Made by {@link ModelStore#open}. One thread owns it, as it owns the model.
 */
public final class Pretrained implements AutoCloseable {
    private final ModelStore.Located located;
    private final ModelFiles files;
    private final BaseModel model;
    private final CompletableFuture<Tokenizer> tokenizer;

    private Pretrained(
            ModelStore.Located located, ModelFiles files, BaseModel model, CompletableFuture<Tokenizer> tokenizer) {
        this.located = located;
        this.files = files;
        this.model = model;
        this.tokenizer = tokenizer;
    }

    /**
     * Loads the model, and meanwhile its tokenizer, which takes about as long where the weights are mapped.
     *
     * @param loader its model becomes the result's, and is closed with it
     */
    static Pretrained load(ModelStore.Located located, ModelFiles files, Function<ModelFiles, BaseModel> loader) {
        CompletableFuture<Tokenizer> tokenizer = CompletableFuture.supplyAsync(
                files::tokenizer,
                task -> Thread.ofPlatform().daemon().name("lorica-tokenizer").start(task));
        try {
            return new Pretrained(located, files, loader.apply(files), tokenizer);
        } catch (RuntimeException | Error e) {
            closeWhenLoaded(tokenizer);
            throw e;
        }
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
     * The tokenizer; closed with this object.
     *
     * @throws LoricaException.NotFound if the model's files hold none
     */
    public Tokenizer tokenizer() {
        try {
            return tokenizer.join();
        } catch (CompletionException e) {
            throw e.getCause() instanceof RuntimeException cause ? cause : e;
        }
    }

    @Override
    public void close() {
        closeWhenLoaded(tokenizer);
        model.close();
    }

    /** Waits, so that nothing native is left at work; a failure was told to whoever asked for the tokenizer. */
    private static void closeWhenLoaded(CompletableFuture<Tokenizer> tokenizer) {
        tokenizer
                .handle((loaded, _) -> {
                    if (loaded != null) {
                        loaded.close();
                    }
                    return true;
                })
                .join();
    }
}
