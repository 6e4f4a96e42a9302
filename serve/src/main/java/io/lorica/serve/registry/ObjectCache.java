package io.lorica.serve.registry;

import io.lorica.tensor.AtomicFile;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.time.Duration;
import java.time.Instant;
import java.util.Comparator;
import java.util.List;
import java.util.stream.Stream;

/**
 * Keeps a folder of downloads, one folder per hash, within a size. A folder's time is that of its last use; when there are
 * too many bytes, the longest unused go. Processes that share the folder see one another's uses by the same times: what was
 * used within {@link #READING} may still be being read, and stays even where that is too much.
 *
 * @param most bytes
 */
record ObjectCache(Path folder, long most) {
    /** Longer than reading an adapter takes; once it is read, its files are needed no more. */
    static final Duration READING = Duration.ofMinutes(10);

    private record Kept(Path path, long bytes, Instant used) {}

    /** Somebody is about to read it. */
    void use(Path kept) throws IOException {
        Files.setLastModifiedTime(kept, FileTime.from(Instant.now()));
    }

    /** Deletes what is too much. */
    void prune() throws IOException {
        List<Kept> all = list();
        long bytes = all.stream().mapToLong(Kept::bytes).sum();
        Instant before = Instant.now().minus(READING);
        for (Kept kept : all) {
            if (bytes <= most || kept.used().isAfter(before)) {
                return;
            }
            delete(kept.path());
            bytes -= kept.bytes();
        }
    }

    /** The longest unused first. */
    private List<Kept> list() throws IOException {
        try (Stream<Path> children = Files.list(folder)) {
            return children.filter(child -> !child.getFileName().toString().startsWith("."))
                    .map(ObjectCache::look)
                    .sorted(Comparator.comparing(Kept::used))
                    .toList();
        } catch (UncheckedIOException e) {
            throw e.getCause();
        }
    }

    private static Kept look(Path path) {
        try (Stream<Path> files = Files.list(path)) {
            long bytes = files.mapToLong(file -> file.toFile().length()).sum();
            return new Kept(path, bytes, Files.getLastModifiedTime(path).toInstant());
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** Under another name first, so that nobody finds half of it. */
    private void delete(Path path) throws IOException {
        Path hidden = Files.createTempDirectory(folder, ".leaving-");
        try {
            Files.move(path, hidden.resolve("it"));
        } catch (FileSystemException _) {
            // Another process was faster.
        }
        AtomicFile.deleteTree(hidden);
    }
}
