package io.lorica.model;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.lorica.tensor.AtomicFile;
import io.lorica.tensor.LoricaException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.regex.Pattern;

/**
 * A repository of the Hugging Face Hub. Files lie under the commit they belong to; {@code refs/REVISION}, written last,
 * names the commit of a revision whose files are complete. Only JSON, tokenizer files and safetensors are fetched.
 */
final class HubSource implements ModelSource {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final Pattern COMMIT = Pattern.compile("[0-9a-f]{40}");
    private static final Pattern SHARD = Pattern.compile("model-\\d{5}-of-\\d{5}\\.safetensors");
    private static final String SINGLE = "model.safetensors";
    private static final String INDEX = "model.safetensors.index.json";
    private static final Set<String> SMALL = Set.of(
            "config.json",
            "generation_config.json",
            "tokenizer.json",
            "tokenizer_config.json",
            "special_tokens_map.json",
            "chat_template.jinja",
            "vocab.json",
            "vocab.txt",
            "merges.txt");

    private final String repository;
    private final String revision;
    private final Path directory;
    private final HubClient client;
    private final boolean offline;

    /** @param offline never ask the network, as {@code HF_HUB_OFFLINE=1} wishes */
    HubSource(String repository, String revision, Path home, HubClient client, boolean offline) {
        this.repository = repository;
        this.revision = revision;
        this.directory = home.resolve("hub").resolve(repository.replace("/", "--"));
        this.client = client;
        this.offline = offline;
    }

    @Override
    public String label() {
        return client.host() + " (" + repository + ")";
    }

    @Override
    public Optional<Path> cached() {
        try {
            if (!Files.exists(ref())) {
                return Optional.empty();
            }
            Path snapshot = snapshot(Files.readString(ref()).strip());
            return Files.exists(snapshot.resolve("config.json")) ? Optional.of(snapshot) : Optional.empty();
        } catch (IOException e) {
            throw new LoricaException.Internal("cannot read the cache at " + ref() + ": " + e, e);
        }
    }

    @Override
    public Path fetch(FetchListener listener) {
        if (offline) {
            throw new LoricaException.Busy(
                    "HF_HUB_OFFLINE forbids asking " + client.host() + "; unset it to fetch " + repository);
        }
        listener.note("asking " + client.host() + " for " + repository + " at " + revision);
        JsonNode description = describe();
        String commit = commit(description);
        Path snapshot = snapshot(commit);
        for (String file : wanted(description)) {
            if (!Files.exists(snapshot.resolve(file))) {
                client.download(repository + "/resolve/" + commit + "/" + file, snapshot.resolve(file), listener);
            }
        }
        AtomicFile.writeString(ref(), commit + "\n");
        return snapshot;
    }

    private Path ref() {
        return directory.resolve("refs").resolve(revision.replace("/", "--"));
    }

    private Path snapshot(String commit) {
        return directory.resolve("snapshots").resolve(commit);
    }

    private JsonNode describe() {
        String path = "api/models/" + repository + "/revision/" + revision.replace("/", "%2F");
        try {
            return JSON.readTree(client.text(path));
        } catch (JsonProcessingException e) {
            throw new LoricaException.BadInput(
                    client.host() + " answered " + path
                            + " with something that is not JSON; check HF_ENDPOINT and what stands between here and it",
                    e);
        }
    }

    private String commit(JsonNode description) {
        String commit = description.path("sha").asText();
        if (!COMMIT.matcher(commit).matches()) {
            throw new LoricaException.BadInput(
                    client.host() + " named no commit for " + repository + " at " + revision + "; check HF_ENDPOINT");
        }
        return commit;
    }

    private List<String> wanted(JsonNode description) {
        List<String> files = new ArrayList<>();
        description
                .path("siblings")
                .forEach(file -> files.add(file.path("rfilename").asText()));
        if (!files.contains("config.json")) {
            throw new LoricaException.Unsupported(
                    repository + " holds no config.json, so it is no transformers model; name another repository");
        }
        boolean single = files.contains(SINGLE);
        if (!single && !files.contains(INDEX)) {
            throw new LoricaException.Unsupported(repository
                    + " holds no safetensors weights (pickled ones can run code and are not read); "
                    + "look for a revision or a copy with model.safetensors");
        }
        files.removeIf(file -> !SMALL.contains(file)
                && !(single
                        ? file.equals(SINGLE)
                        : file.equals(INDEX) || SHARD.matcher(file).matches()));
        return files;
    }
}
