package io.lorica.server;

import static java.nio.charset.StandardCharsets.UTF_8;

import io.helidon.http.HttpException;
import io.helidon.http.Status;
import io.lorica.adapter.AdapterConfig;
import io.lorica.adapter.Provenance;
import io.lorica.adapter.SelfTest;
import io.lorica.tensor.AtomicFile;
import io.lorica.tensor.LoricaException;
import io.lorica.tensor.Memory;
import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Pattern;
import java.util.zip.CRC32;
import java.util.zip.CheckedInputStream;
import java.util.zip.ZipEntry;
import java.util.zip.ZipException;
import java.util.zip.ZipFile;

/**
 * The files of one adapter out of a zip that anybody may have made: only the files that an adapter has, from the one
 * folder that holds its configuration, counted as they unpack rather than as the zip claims, and checked against their
 * sums. A zip with a name that leads anywhere else is refused whole, whether or not that file would have been taken.
 */
final class AdapterZip {
    private static final List<String> FILES =
            List.of(AdapterConfig.FILE, "adapter_model.safetensors", Provenance.FILE, SelfTest.FILE, "README.md");
    private static final Pattern LEADING_OUT = Pattern.compile("[/\\\\].*|[A-Za-z]:.*|(.*[/\\\\])?\\.\\.([/\\\\].*)?");
    private static final int MOST_ENTRIES = 10_000;

    private final ZipFile zip;
    private final Map<String, ZipEntry> entries = new HashMap<>();
    private final long most;
    private long unpacked;

    private AdapterZip(ZipFile zip, long most) {
        this.zip = zip;
        this.most = most;
    }

    /**
     * Unpacks the adapter.
     *
     * @param folder where its files come to lie
     * @param most bytes that they may have together
     * @throws LoricaException.BadInput where it is no zip, is damaged, leads out of its folder or holds no or several
     *     adapters
     */
    static void unpack(Path file, Path folder, long most) {
        try (ZipFile zip = new ZipFile(file.toFile(), UTF_8)) {
            new AdapterZip(zip, most).unpack(folder);
        } catch (ZipException e) {
            throw new LoricaException.BadInput(
                    "the body is no zip that can be read (" + e.getMessage() + "); zip the adapter's folder again", e);
        } catch (IOException e) {
            throw new LoricaException.Internal("an uploaded adapter cannot be unpacked: " + e.getMessage(), e);
        }
    }

    private void unpack(Path folder) {
        if (zip.size() > MOST_ENTRIES) {
            throw new LoricaException.BadInput("the zip has " + zip.size() + " entries, but may have " + MOST_ENTRIES
                    + "; zip one adapter's folder only");
        }
        zip.stream().forEach(this::admit);
        String prefix = prefix();
        for (String name : FILES) {
            ZipEntry entry = entries.get(prefix + name);
            if (entry != null) {
                AtomicFile.write(folder.resolve(name), channel -> copy(entry, channel));
            }
        }
    }

    private void admit(ZipEntry entry) {
        String name = entry.getName();
        if (LEADING_OUT.matcher(name).matches() || name.chars().anyMatch(Character::isISOControl)) {
            throw new LoricaException.BadInput("the zip names a file '" + shown(name)
                    + "', which leads out of its folder; zip the adapter's folder again");
        }
        if (entries.put(name, entry) != null) {
            throw new LoricaException.BadInput(
                    "the zip names '" + shown(name) + "' twice; zip the adapter's folder again");
        }
    }

    private static String shown(String name) {
        return name.length() <= 140 ? name : name.substring(0, 140) + "…";
    }

    /** The folder of the adapter, with its slash. */
    private String prefix() {
        List<String> configs = entries.keySet().stream()
                .filter(name -> name.equals(AdapterConfig.FILE) || name.endsWith("/" + AdapterConfig.FILE))
                .toList();
        if (configs.size() != 1) {
            throw new LoricaException.BadInput("the zip holds " + configs.size() + " files " + AdapterConfig.FILE
                    + ", but must hold one adapter; zip the folder in which PEFT or Lorica saved it");
        }
        String config = configs.getFirst();
        return config.substring(0, config.length() - AdapterConfig.FILE.length());
    }

    private void copy(ZipEntry entry, FileChannel channel) throws IOException {
        byte[] buffer = new byte[1 << 16];
        try (CheckedInputStream in = new CheckedInputStream(zip.getInputStream(entry), new CRC32())) {
            for (int count = read(in, buffer, entry); count >= 0; count = read(in, buffer, entry)) {
                unpacked += count;
                if (unpacked > most) {
                    throw new HttpException(
                            "the adapter's files are larger than the " + Memory.format(most)
                                    + " that this server could hold of one; see --adapter-memory",
                            Status.REQUEST_ENTITY_TOO_LARGE_413);
                }
                ByteBuffer bytes = ByteBuffer.wrap(buffer, 0, count);
                while (bytes.hasRemaining()) {
                    channel.write(bytes);
                }
            }
            if (in.getChecksum().getValue() != entry.getCrc()) {
                throw new LoricaException.BadInput(damaged(entry));
            }
        }
    }

    private static int read(InputStream in, byte[] buffer, ZipEntry entry) throws IOException {
        try {
            return in.read(buffer);
        } catch (ZipException | EOFException e) {
            throw new LoricaException.BadInput(damaged(entry), e);
        }
    }

    private static String damaged(ZipEntry entry) {
        return "the zip is damaged at '" + shown(entry.getName()) + "'; zip the adapter's folder and send it again";
    }
}
