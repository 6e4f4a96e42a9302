package io.lorica.model;

import io.lorica.tensor.LoricaException;
import io.lorica.tensor.Names;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/**
 * What a person may write where a model is wanted: a catalogue name, a Hugging Face directory, a GGUF file or a hub id.
 *
 * <p>They are tried in that order, so {@code smollm2-135m-instruct} is the catalogue's even where a directory of that
 * name lies about ({@code ./smollm2-135m-instruct} is the directory), and {@code owner/name} is a directory where there
 * is one and a hub id where there is none.
 */
public sealed interface ModelReference {

    /** A model of the catalogue. */
    record Named(Catalogue.Entry entry) implements ModelReference {}

    /** A directory that holds {@code config.json}. */
    record Directory(Path path) implements ModelReference {}

    /** A file that begins with the GGUF magic. */
    record Gguf(Path path) implements ModelReference {}

    /** A repository of the Hugging Face Hub; {@code owner/name} or {@code owner/name@revision}. */
    record Hub(String repository, String revision) implements ModelReference {}

    Pattern HUB_ID = Pattern.compile("([A-Za-z0-9][\\w.-]*/[A-Za-z0-9][\\w.-]*)(?:@([\\w./-]+))?");

    /**
     * Reads a reference; looks at the file system but never at the network.
     *
     * @throws LoricaException.NotFound if it names nothing known; says what is nearest
     * @throws LoricaException.BadInput if it names a directory without {@code config.json} or a file that is not GGUF
     */
    static ModelReference parse(String reference, Catalogue catalogue) {
        var entry = catalogue.find(reference);
        if (entry.isPresent()) {
            return new Named(entry.get());
        }
        if (reference.isBlank()) {
            throw new LoricaException.BadInput("the model reference is empty; " + advice(catalogue));
        }
        Path path = path(reference);
        if (Files.isDirectory(path)) {
            return directory(path);
        }
        if (Files.exists(path)) {
            return file(path);
        }
        if (looksLikePath(reference)) {
            throw new LoricaException.NotFound(
                    "no model at " + path.toAbsolutePath() + ": there is no such file or directory; check the path");
        }
        Matcher hub = HUB_ID.matcher(reference);
        if (hub.matches() && !reference.contains("..")) {
            return new Hub(hub.group(1), hub.group(2) == null ? "main" : hub.group(2));
        }
        throw new LoricaException.NotFound("unknown model '" + reference + "'"
                + Names.didYouMean(reference, catalogue.names()) + " " + advice(catalogue));
    }

    private static String advice(Catalogue catalogue) {
        return "(a model is a catalogue name: " + String.join(", ", catalogue.names())
                + "; a directory with config.json; a GGUF file; or a hub id like owner/name)";
    }

    private static Path path(String reference) {
        try {
            return reference.startsWith("~/")
                    ? Path.of(System.getProperty("user.home"), reference.substring(2))
                    : Path.of(reference);
        } catch (InvalidPathException e) {
            throw new LoricaException.BadInput("'" + reference + "' cannot be a model reference: " + e.getReason(), e);
        }
    }

    private static boolean looksLikePath(String reference) {
        String lower = reference.toLowerCase(Locale.ROOT);
        return reference.startsWith(".")
                || reference.startsWith("/")
                || reference.startsWith("~")
                || reference.contains("\\")
                || lower.endsWith(".gguf")
                || lower.endsWith(".safetensors")
                || reference
                                .replaceFirst("@.*", "")
                                .chars()
                                .filter(c -> c == '/')
                                .count()
                        > 1;
    }

    private static ModelReference directory(Path path) {
        if (Files.isRegularFile(path.resolve("config.json"))) {
            return new Directory(path);
        }
        List<String> ggufs;
        try (Stream<Path> files = Files.list(path)) {
            ggufs = files.map(Path::toString)
                    .filter(name -> name.endsWith(".gguf"))
                    .sorted()
                    .toList();
        } catch (IOException e) {
            throw new LoricaException.BadInput("cannot list the directory " + path + ": " + e.getMessage(), e);
        }
        String advice;
        if (!ggufs.isEmpty()) {
            advice = "it holds GGUF files, name one of them: " + String.join(", ", ggufs);
        } else if (Files.exists(path.resolve("adapter_config.json"))) {
            advice = "it holds an adapter; give it with --adapter and name the base model here";
        } else {
            advice = "name a directory with config.json, tokenizer.json and model.safetensors";
        }
        throw new LoricaException.BadInput("the directory " + path + " holds no config.json; " + advice);
    }

    private static ModelReference file(Path path) {
        try (InputStream in = Files.newInputStream(path)) {
            if (new String(in.readNBytes(4), StandardCharsets.ISO_8859_1).equals("GGUF")) {
                return new Gguf(path);
            }
        } catch (IOException e) {
            throw new LoricaException.BadInput("cannot read " + path + ": " + e.getMessage(), e);
        }
        throw new LoricaException.BadInput(
                "the file " + path + " is not GGUF (it does not begin with the letters GGUF); "
                        + "name a GGUF file, or the directory that holds config.json and the safetensors files");
    }
}
