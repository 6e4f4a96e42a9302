package io.lorica.serve.registry;

import io.lorica.adapter.Fingerprint;
import io.lorica.serve.store.AdapterSource;
import io.lorica.tensor.AtomicFile;
import io.lorica.tensor.LoricaException;
import java.io.IOException;
import java.net.URI;
import java.nio.file.DirectoryNotEmptyException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.Optional;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;

/**
 * Brings the files of registered adapters to this machine and holds them to their hash. Objects of S3 are kept in a cache,
 * one folder per hash, which appears whole or not at all; when it grows over its size, the longest unused leave.
 */
public final class Locations implements AutoCloseable {
    private final Path cache;
    private final ObjectCache kept;
    private final Optional<URI> endpoint;
    private final ReentrantLock lock = new ReentrantLock();

    /** Made when first needed: its library need not be there for folders. */
    private @Nullable ObjectStore objects;

    /**
     * @param cache made when first needed; several processes may share it
     * @param most bytes of the cache; more only while that many are being read
     * @param endpoint of an object store that speaks S3's protocol; empty for what AWS's own settings say
     */
    public Locations(Path cache, long most, Optional<URI> endpoint) {
        this.cache = cache;
        kept = new ObjectCache(cache, most);
        this.endpoint = endpoint;
    }

    /**
     * Reads an adapter where it lies, and says what a registry should hold of it.
     *
     * @throws LoricaException where there is no adapter
     */
    public RegisteredAdapter describe(String name, Location location) {
        Contents contents = switch (location) {
            case Location.Folder folder -> Contents.of(folder.path());
            case Location.Bucket bucket -> Contents.of(download(bucket, Optional.empty()));
        };
        return new RegisteredAdapter(
                name, location, contents.sha256(), contents.base(), contents.rank(), contents.bytes(), Instant.now());
    }

    /** What a store needs of a registered adapter. */
    AdapterSource source(RegisteredAdapter adapter) {
        return new AdapterSource() {
            @Override
            public Optional<Fingerprint> base() {
                return adapter.base();
            }

            @Override
            public Path folder() {
                return verified(adapter);
            }
        };
    }

    /** @throws LoricaException.Incompatible where the files are not those that were registered */
    Path verified(RegisteredAdapter adapter) {
        return switch (adapter.location()) {
            case Location.Folder folder -> {
                requireHash(adapter, Contents.sha256(folder.path()));
                yield folder.path();
            }
            case Location.Bucket bucket -> {
                Path cached = cache.resolve(adapter.sha256());
                yield isKept(cached) && Contents.sha256(cached).equals(adapter.sha256())
                        ? cached
                        : download(bucket, Optional.of(adapter));
            }
        };
    }

    /** Whether it is there; then it stays while it is being read. */
    private boolean isKept(Path cached) {
        try {
            kept.use(cached);
            return true;
        } catch (IOException _) {
            return false; // not there, or leaving
        }
    }

    private static void requireHash(RegisteredAdapter adapter, String found) {
        if (!found.equals(adapter.sha256())) {
            throw new LoricaException.Incompatible(
                    "adapter '" + adapter.name() + "': the files at " + adapter.location()
                            + " have hash " + found.substring(0, 12) + "…, but were registered with "
                            + adapter.sha256().substring(0, 12)
                            + "…; restore them, or register the adapter again (lorica registry add --replace)");
        }
    }

    private Path download(Location.Bucket from, Optional<RegisteredAdapter> expected) {
        try {
            Files.createDirectories(cache);
            Path temporary = Files.createTempDirectory(cache, ".download-");
            try {
                objects().download(from, temporary);
                String hash = Contents.sha256(temporary);
                expected.ifPresent(adapter -> requireHash(adapter, hash));
                Path folder = moved(temporary, hash);
                kept.use(folder);
                kept.prune();
                return folder;
            } finally {
                AtomicFile.deleteTree(temporary);
            }
        } catch (IOException e) {
            throw new LoricaException.Internal(
                    "cannot keep the files of " + from + " in " + cache + ": " + e + "; is the disk full?", e);
        }
    }

    /** Where another process was faster with the same files, theirs stay. */
    private Path moved(Path temporary, String hash) throws IOException {
        Path target = cache.resolve(hash);
        if (Files.isDirectory(target) && !Contents.sha256(target).equals(hash)) {
            AtomicFile.deleteTree(target);
        }
        try {
            Files.move(temporary, target);
            AtomicFile.syncDirectory(cache);
        } catch (FileAlreadyExistsException | DirectoryNotEmptyException _) {
            // has the same hash, as the next to load it will see
        }
        return target;
    }

    private ObjectStore objects() {
        lock.lock();
        try {
            ObjectStore known = objects;
            if (known == null) {
                known = new ObjectStore(endpoint);
                objects = known;
            }
            return known;
        } finally {
            lock.unlock();
        }
    }

    @Override
    public void close() {
        lock.lock();
        try (ObjectStore _ = objects) {
            objects = null;
        } finally {
            lock.unlock();
        }
    }
}
