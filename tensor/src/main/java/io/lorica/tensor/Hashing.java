package io.lorica.tensor;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import org.bytedeco.pytorch.Tensor;

/**
 * SHA-256 over files, texts and tensors.
 *
 * <pre>{@code String print = new Hashing().add(name).add(tensor).hex()}</pre>
 *
 * Each text and tensor is preceded by its length or by its type and shape, so that different sequences of parts never
 * run into the same bytes.
 */
public final class Hashing {
    private static final int CHUNK = 1 << 20;

    private final MessageDigest digest;

    public Hashing() {
        try {
            digest = MessageDigest.getInstance("SHA-256");
        } catch (NoSuchAlgorithmException e) {
            throw new LoricaException.Internal("this Java lacks SHA-256, which every Java must have", e);
        }
    }

    /** SHA-256 of a file's bytes in hexadecimal, as {@code sha256sum} prints it. */
    public static String sha256(Path file) {
        Hashing hashing = new Hashing();
        ByteBuffer buffer = ByteBuffer.allocate(CHUNK);
        try (FileChannel channel = FileChannel.open(file, StandardOpenOption.READ)) {
            while (channel.read(buffer) >= 0) {
                hashing.digest.update(buffer.flip());
                buffer.clear();
            }
        } catch (NoSuchFileException e) {
            throw new LoricaException.NotFound(file + " does not exist; check the path");
        } catch (IOException e) {
            throw new LoricaException.Internal("cannot read " + file + ": " + e, e);
        }
        return hashing.hex();
    }

    /** SHA-256 of a tensor's elements as little-endian bytes in row-major order, in hexadecimal; type and shape not counted. */
    public static String sha256(Tensor tensor) {
        Hashing hashing = new Hashing();
        hashing.elements(tensor);
        return hashing.hex();
    }

    /** SHA-256 of a text's UTF-8 bytes, in hexadecimal. */
    public static String sha256(String text) {
        Hashing hashing = new Hashing();
        hashing.digest.update(text.getBytes(StandardCharsets.UTF_8));
        return hashing.hex();
    }

    /** Adds the length and the UTF-8 bytes of a text. */
    public Hashing add(String text) {
        byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
        add(bytes.length);
        digest.update(bytes);
        return this;
    }

    public Hashing add(long number) {
        digest.update(ByteBuffer.allocate(Long.BYTES).putLong(number).flip());
        return this;
    }

    /** Adds the type, shape and elements of a tensor, whatever its layout. */
    public Hashing add(Tensor tensor) {
        add(DType.of(tensor).name());
        long[] shape = Tensors.shape(tensor);
        add(shape.length);
        for (long size : shape) {
            add(size);
        }
        elements(tensor);
        return this;
    }

    /** The digest of all that was added, in hexadecimal; the object starts afresh. */
    public String hex() {
        return HexFormat.of().formatHex(digest.digest());
    }

    private void elements(Tensor tensor) {
        try {
            NativeBytes.stream(tensor, digest::update);
        } catch (IOException e) {
            throw new LoricaException.Internal("a digest refused bytes", e);
        }
    }
}
