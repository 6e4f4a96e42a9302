package io.lorica.model;

import io.lorica.tensor.TensorSource;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SequencedMap;

/**
 * What can be said of a model from the headers of its files, without loading it.
 *
 * @param reference as the person wrote it
 * @param origin where the files came from
 * @param architecture {@code model_type}
 * @param parameters number of weights stored; a head that shares the embedding's counts once
 * @param bytes of the weights in the files
 * @param dtypes bytes by stored type, for example {@code Q4_1} and {@code F32}
 * @param contextLength longest sequence, 0 where the configuration does not say
 * @param vocabulary rows of the embedding, 0 where the configuration does not say
 * @param sites linear maps and embeddings by leaf name and shape, in the order of the files
 * @param chatTemplate whether conversations can be turned into text
 * @param licence of the weights: the catalogue's word, else the files'
 */
public record ModelInfo(
        String reference,
        String path,
        String origin,
        String architecture,
        long parameters,
        long bytes,
        SequencedMap<String, Long> dtypes,
        long contextLength,
        long vocabulary,
        List<Sites> sites,
        boolean chatTemplate,
        Optional<String> licence) {

    /** @param shape as {@code out x in} of the weights ({@code rows x width} for embeddings) */
    public record Sites(String leaf, String shape, int count) {}

    static ModelInfo of(ModelStore.Located located, ModelFiles files, Optional<String> licence) {
        long parameters = 0;
        long bytes = 0;
        SequencedMap<String, Long> dtypes = new LinkedHashMap<>();
        SequencedMap<Sites, Integer> sites = new LinkedHashMap<>();
        try (TensorSource tensors = files.tensors()) {
            for (String name : tensors.names()) {
                TensorSource.TensorInfo info = tensors.info(name);
                bytes += info.bytes();
                parameters += isInteger(info.dtype()) ? 0 : count(info.shape());
                dtypes.merge(info.dtype(), info.bytes(), Long::sum);
                site(name, info.shape()).ifPresent(site -> sites.merge(site, 1, Integer::sum));
            }
        }
        ModelConfig config = files.config();
        return new ModelInfo(
                located.reference(),
                located.path().toString(),
                located.origin(),
                config.modelType(),
                parameters,
                bytes,
                dtypes,
                config.integer("max_position_embeddings", config.integer("n_positions", 0)),
                config.integer("vocab_size", 0),
                counted(sites),
                files.hasChatTemplate(),
                licence.or(files::licence));
    }

    /** Stored position numbers and masks are no parameters. */
    private static boolean isInteger(String dtype) {
        return (dtype.startsWith("I") && !dtype.startsWith("IQ")) || dtype.startsWith("U") || dtype.equals("BOOL");
    }

    private static long count(long[] shape) {
        long count = 1;
        for (long size : shape) {
            count *= size;
        }
        return count;
    }

    /** In every supported family the weights with two dimensions are the linear maps and embeddings, and no others. */
    private static Optional<Sites> site(String name, long[] shape) {
        if (shape.length != 2 || !name.endsWith(".weight")) {
            return Optional.empty();
        }
        String site = name.substring(0, name.length() - ".weight".length());
        return Optional.of(new Sites(site.substring(site.lastIndexOf('.') + 1), shape[0] + " x " + shape[1], 0));
    }

    private static List<Sites> counted(Map<Sites, Integer> sites) {
        List<Sites> result = new ArrayList<>();
        sites.forEach((site, count) -> result.add(new Sites(site.leaf(), site.shape(), count)));
        return List.copyOf(result);
    }
}
