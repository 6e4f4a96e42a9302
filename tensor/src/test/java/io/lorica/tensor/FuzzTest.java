package io.lorica.tensor;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SequencedMap;
import java.util.function.Function;
import net.jqwik.api.Arbitraries;
import net.jqwik.api.Arbitrary;
import net.jqwik.api.Combinators;
import net.jqwik.api.EdgeCasesMode;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.Provide;
import net.jqwik.api.ShrinkingMode;
import net.jqwik.api.lifecycle.AfterContainer;
import net.jqwik.api.lifecycle.BeforeContainer;
import org.bytedeco.pytorch.Tensor;

/**
 * Damaged files either open and can be read whole, or are refused with a {@link LoricaException}; nothing else is ever
 * thrown, and the checks of {@link java.lang.foreign.MemorySegment} turn an access out of bounds into such a failure.
 */
class FuzzTest {
    private static final List<byte[]> SAFETENSORS = new ArrayList<>();
    private static final List<byte[]> GGUF = new ArrayList<>();
    private static final List<byte[]> INDEX = new ArrayList<>();
    private static Path directory = Path.of("");

    /** One change of a file's bytes; {@code place} is scaled to the file. */
    sealed interface Mutation {
        record Flip(double place, int bit) implements Mutation {}

        record Put(double place, long value, int bytes) implements Mutation {}

        record Cut(double place, int bytes) implements Mutation {}

        record Insert(double place, byte[] bytes) implements Mutation {}

        record Truncate(double place) implements Mutation {}
    }

    @BeforeContainer
    static void readSeeds() throws IOException {
        directory = Files.createTempDirectory("lorica-fuzz");
        SAFETENSORS.add(Files.readAllBytes(Fixtures.file("types.safetensors")));
        GGUF.add(Files.readAllBytes(Fixtures.file("quants.gguf")));
        Path written = directory.resolve("written");
        try (Scope _ = Scope.open()) {
            SequencedMap<String, Tensor> tensors = new LinkedHashMap<>();
            tensors.put("a", Tensors.ones(DType.F32, 2, 3));
            tensors.put("b", Tensors.ones(DType.BF16, 4));
            SafetensorsFile.write(written, tensors, Map.of());
            SafetensorsFile.write(directory.resolve("1.safetensors"), tensors, Map.of());
            INDEX.add(
                    "{\"metadata\":{\"total_size\":32},\"weight_map\":{\"a\":\"1.safetensors\",\"b\":\"1.safetensors\"}}"
                            .getBytes(StandardCharsets.UTF_8));
            SAFETENSORS.add(Files.readAllBytes(written));
            GgufFile.write(written, Map.of("k", List.of("x", "y"), "n", 1), tensors, DType.F16);
            GGUF.add(Files.readAllBytes(written));
        }
        GGUF.addAll(List.copyOf(GGUF)); // small ones more often than the vocabulary of two megabytes
        GGUF.addAll(List.copyOf(GGUF));
        var shared = Fixtures.shared("tokenizers-and-formats/gguf/ggml-vocab-gpt-2.gguf");
        if (shared.isPresent()) {
            GGUF.add(Files.readAllBytes(shared.get()));
        }
    }

    @AfterContainer
    static void deleteFiles() throws IOException {
        for (String name : new String[] {"written", "mutant", "1.safetensors"}) {
            Files.deleteIfExists(directory.resolve(name));
        }
        Files.delete(directory);
    }

    @Property(tries = 3000, shrinking = ShrinkingMode.OFF, edgeCases = EdgeCasesMode.NONE)
    void safetensors_mutated_isReadOrRefused(@ForAll int seed, @ForAll("mutations") List<Mutation> mutations)
            throws IOException {
        check(SAFETENSORS, seed, mutations, SafetensorsFile::open);
    }

    @Property(tries = 3000, shrinking = ShrinkingMode.OFF, edgeCases = EdgeCasesMode.NONE)
    void gguf_mutated_isReadOrRefused(@ForAll int seed, @ForAll("mutations") List<Mutation> mutations)
            throws IOException {
        check(GGUF, seed, mutations, GgufFile::open);
    }

    @Property(tries = 1000, shrinking = ShrinkingMode.OFF, edgeCases = EdgeCasesMode.NONE)
    void index_mutated_isReadOrRefused(@ForAll("mutations") List<Mutation> mutations) throws IOException {
        check(INDEX, 0, mutations, ShardedSafetensors::open);
    }

    private static void check(List<byte[]> seeds, int seed, List<Mutation> mutations, Function<Path, TensorSource> open)
            throws IOException {
        byte[] bytes = seeds.get(Math.floorMod(seed, seeds.size()));
        for (Mutation mutation : mutations) {
            bytes = apply(bytes, mutation);
        }
        Path file = Files.write(directory.resolve("mutant"), bytes);
        try (TensorSource source = open.apply(file)) {
            for (String name : source.names()) {
                readWhole(source, name);
            }
        } catch (LoricaException e) {
            assertThat(e).hasMessageContaining("mutant");
            assertThat(e).isNotInstanceOf(LoricaException.Internal.class);
        }
    }

    private static void readWhole(TensorSource source, String name) {
        try (Scope _ = Scope.open()) {
            Tensor tensor = source.read(name);
            assertThat(Tensors.shape(tensor)).containsExactly(source.info(name).shape());
            assertThat(Hashing.sha256(tensor)).hasSize(64);
        }
    }

    private static byte[] apply(byte[] bytes, Mutation mutation) {
        return switch (mutation) {
            case Mutation.Flip(double place, int bit) -> {
                byte[] copy = bytes.clone();
                if (copy.length > 0) {
                    copy[at(copy, place, 1)] ^= (byte) (1 << bit);
                }
                yield copy;
            }
            case Mutation.Put(double place, long value, int count) -> {
                byte[] copy = bytes.clone();
                if (copy.length >= 8) {
                    byte[] number = ByteBuffer.allocate(8)
                            .order(ByteOrder.LITTLE_ENDIAN)
                            .putLong(value)
                            .array();
                    System.arraycopy(number, 0, copy, at(copy, place, count), count);
                }
                yield copy;
            }
            case Mutation.Cut(double place, int count) -> {
                int at = at(bytes, place, 1);
                yield join(Arrays.copyOf(bytes, at), new byte[0], bytes, Math.min(bytes.length, at + count));
            }
            case Mutation.Insert(double place, byte[] inserted) -> {
                int at = at(bytes, place, 0);
                yield join(Arrays.copyOf(bytes, at), inserted, bytes, at);
            }
            case Mutation.Truncate(double place) -> Arrays.copyOf(bytes, at(bytes, place, 0));
        };
    }

    private static int at(byte[] bytes, double place, int room) {
        return (int) (place * Math.max(0, bytes.length - room));
    }

    private static byte[] join(byte[] head, byte[] middle, byte[] rest, int from) {
        return ByteBuffer.allocate(head.length + middle.length + rest.length - from)
                .put(head)
                .put(middle)
                .put(rest, from, rest.length - from)
                .array();
    }

    @Provide
    Arbitrary<List<Mutation>> mutations() {
        // half of all places lie in the first kilobyte, where lengths, counts and offsets are
        Arbitrary<Double> place = Arbitraries.oneOf(
                Arbitraries.doubles().between(0, 1), Arbitraries.doubles().between(0, 0.05), Arbitraries.just(0.0));
        Arbitrary<Long> value = Arbitraries.oneOf(
                Arbitraries.longs(),
                Arbitraries.longs().between(-4, 300),
                Arbitraries.of(
                        Long.MIN_VALUE, Long.MAX_VALUE, 1L << 32, 1L << 62, 0xffff_ffffL, 0x3030_3030_3030_3030L));
        Arbitrary<Mutation> one = Arbitraries.oneOf(
                Combinators.combine(place, Arbitraries.integers().between(0, 7)).as(Mutation.Flip::new),
                Combinators.combine(place, value, Arbitraries.of(1, 2, 4, 8)).as(Mutation.Put::new),
                Combinators.combine(place, Arbitraries.integers().between(1, 40))
                        .as(Mutation.Cut::new),
                Combinators.combine(
                                place,
                                Arbitraries.bytes()
                                        .array(byte[].class)
                                        .ofMinSize(1)
                                        .ofMaxSize(40))
                        .as(Mutation.Insert::new),
                place.map(Mutation.Truncate::new));
        return one.list().ofMinSize(1).ofMaxSize(3);
    }
}
