package io.lorica.model;

import io.lorica.tensor.DType;
import io.lorica.tensor.LoricaException;
import io.lorica.tensor.SafetensorsFile;
import io.lorica.tensor.TensorSource;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.Optional;

/**
 * A bfloat16 copy of the cache's quantized weights beside them, made at the first opening. Dequantizing SmolLM2-135M
 * takes one to several seconds at every start and 270 MB of memory; mapping the copy takes milliseconds and shares the
 * system's page cache between processes. The numbers are the same bits either way. Only files in Lorica's own cache get
 * a copy: nobody's directory is written to, and a large GGUF file elsewhere does not fill the disk.
 */
final class ConvertedWeights {
    private static final String SOURCE = "lorica.source";

    private ConvertedWeights() {}

    /** The copy, made where it is absent or older than the file. */
    static TensorSource open(GgufModel model, FetchListener listener) {
        Path copy = model.path().resolveSibling(model.path().getFileName() + ".bf16.safetensors");
        try {
            String state = state(model.path());
            Optional<TensorSource> present = present(copy, state);
            if (present.isPresent()) {
                return present.get();
            }
            listener.note("converting " + model.path().getFileName() + " to bfloat16, once");
            ModelExport.writeWeights(model, copy, DType.BF16, Map.of("format", "pt", SOURCE, state));
            return SafetensorsFile.open(copy);
        } catch (IOException | LoricaException.Internal e) {
            listener.note("no bfloat16 copy at " + copy + " (" + e.getMessage() + "); reading the GGUF file itself");
            return model.tensors();
        }
    }

    private static String state(Path file) throws IOException {
        return Files.size(file) + " bytes of " + Files.getLastModifiedTime(file).toMillis();
    }

    private static Optional<TensorSource> present(Path copy, String state) {
        if (!Files.exists(copy)) {
            return Optional.empty();
        }
        TensorSource source = SafetensorsFile.open(copy);
        if (state.equals(source.metadata().get(SOURCE))) {
            return Optional.of(source);
        }
        source.close();
        return Optional.empty();
    }
}
