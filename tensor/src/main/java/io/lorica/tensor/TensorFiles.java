package io.lorica.tensor;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Collection;

/** Opens whatever file of tensors a path names. */
public final class TensorFiles {
    private TensorFiles() {}

    /**
     * The weights of a Hugging Face model directory: {@code model.safetensors}, else the shards that
     * {@code model.safetensors.index.json} lists.
     *
     * @throws LoricaException.NotFound if the directory holds neither
     * @throws LoricaException.Unsupported if its weights are pickled only
     */
    public static TensorSource openModel(Path directory) {
        Path single = directory.resolve("model.safetensors");
        if (Files.exists(single)) {
            return SafetensorsFile.open(single);
        }
        Path index = directory.resolve("model.safetensors.index.json");
        if (Files.exists(index)) {
            return ShardedSafetensors.open(index);
        }
        for (String pickle : new String[] {"pytorch_model.bin", "pytorch_model.bin.index.json"}) {
            if (Files.exists(directory.resolve(pickle))) {
                throw new LoricaException.Unsupported(directory + " holds only pickled weights (" + pickle
                        + "), which can run code when they are read; save the model as safetensors"
                        + " (in Python: model.save_pretrained(directory, safe_serialization=True))");
            }
        }
        throw new LoricaException.NotFound(directory
                + " holds neither model.safetensors nor model.safetensors.index.json; name a model directory");
    }

    static LoricaException noSuchTensor(Path file, String name, Collection<String> known) {
        return new LoricaException.NotFound(file + " has no tensor '" + name + "'" + Names.didYouMean(name, known)
                + " (it has " + known.size() + " tensors)");
    }
}
