package io.lorica.serve.registry;

import io.lorica.tensor.LoricaException;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Where an adapter's files lie; {@code toString} is the form in which registries hold it. */
public sealed interface Location {

    /** A folder, by its absolute path: servers that share a registry see it under the same one. */
    record Folder(Path path) implements Location {
        public Folder {
            path = path.toAbsolutePath().normalize();
        }

        @Override
        public String toString() {
            return path.toString();
        }
    }

    /**
     * {@code s3://bucket/prefix}: objects named like the files of a folder.
     *
     * @param prefix without slashes at its ends
     */
    record Bucket(String bucket, String prefix) implements Location {

        String key(String file) {
            return prefix + "/" + file;
        }

        @Override
        public String toString() {
            return SCHEME + bucket + "/" + prefix;
        }
    }

    /** How locations in an object store begin. */
    String SCHEME = "s3://";

    /** @throws LoricaException.BadInput where it is neither a path nor {@code s3://bucket/prefix} */
    static Location parse(String text) {
        try {
            return text.contains("://") ? bucket(text) : new Folder(Path.of(text));
        } catch (InvalidPathException e) {
            throw new LoricaException.BadInput("location '" + text + "' is no path: " + e.getReason());
        }
    }

    private static Bucket bucket(String text) {
        Matcher matcher = Pattern.compile("s3://([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])/+([^/].*?)/*")
                .matcher(text);
        if (!matcher.matches()) {
            throw new LoricaException.BadInput(
                    "location '" + text + "' is not understood; give a folder, or s3://bucket/prefix");
        }
        return new Bucket(matcher.group(1), matcher.group(2));
    }
}
