package io.lorica.serve.registry;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.lorica.serve.TinyModels;
import io.lorica.tensor.LoricaException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.FileTime;
import java.time.Duration;
import java.time.Instant;
import java.util.Optional;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class LocationsTest {
    private static final Location BUCKET = Location.parse("s3://adapters/team/tone");

    @TempDir
    @SuppressWarnings("NullAway.Init")
    Path folder;

    @SuppressWarnings("NullAway.Init")
    private StubObjectStore store;

    @SuppressWarnings("NullAway.Init")
    private Locations locations;

    private int others;

    @BeforeEach
    void open() throws IOException {
        System.setProperty("aws.accessKeyId", "stub-id");
        System.setProperty("aws.secretAccessKey", "stub-secret");
        Files.createDirectories(object(""));
        for (String name : new String[] {"adapter_config.json", "adapter_model.safetensors"}) {
            Files.copy(TinyModels.peft("plain").resolve(name), object(name));
        }
        store = new StubObjectStore(folder.resolve("objects"));
        locations = new Locations(folder.resolve("cache"), Long.MAX_VALUE, Optional.of(store.endpoint()));
    }

    @AfterEach
    void close() {
        locations.close();
        store.close();
        System.clearProperty("aws.accessKeyId");
        System.clearProperty("aws.secretAccessKey");
    }

    private Path object(String name) {
        return folder.resolve("objects/adapters/team/tone").resolve(name);
    }

    private long cached() throws IOException {
        try (Stream<Path> children = Files.list(folder.resolve("cache"))) {
            return children.count();
        }
    }

    @Test
    void describe_objects_areAsTheFolderTheyWereCopiedFrom() throws IOException {
        RegisteredAdapter there = locations.describe("tone", BUCKET);
        RegisteredAdapter here = locations.describe("tone", new Location.Folder(object("")));
        assertThat(there.sha256()).isEqualTo(here.sha256());
        assertThat(there.rank()).isEqualTo(here.rank()).isPositive();
        assertThat(there.bytes())
                .isEqualTo(Files.size(object("adapter_config.json")) + Files.size(object("adapter_model.safetensors")));
    }

    @Test
    void verified_again_readsNoObject() {
        RegisteredAdapter adapter = locations.describe("tone", BUCKET);
        Path files = locations.verified(adapter);
        assertThat(files.resolve("adapter_model.safetensors"))
                .hasSameBinaryContentAs(object("adapter_model.safetensors"));
        assertThat(store.objects).hasValue(2);
    }

    @Test
    void verified_cachedFileDamaged_isBroughtAgain() throws IOException {
        RegisteredAdapter adapter = locations.describe("tone", BUCKET);
        Path file = locations.verified(adapter).resolve("adapter_model.safetensors");
        Files.write(file, new byte[] {1}, StandardOpenOption.APPEND);
        locations.verified(adapter);
        assertThat(file).hasSameBinaryContentAs(object("adapter_model.safetensors"));
        assertThat(cached()).isEqualTo(1);
    }

    @Test
    void verified_objectsOfAnotherHash_areRefusedAndNotKept() throws IOException {
        RegisteredAdapter adapter = locations.describe("tone", BUCKET);
        try (Locations other = new Locations(folder.resolve("other"), Long.MAX_VALUE, Optional.of(store.endpoint()))) {
            Files.write(object("adapter_model.safetensors"), new byte[] {1}, StandardOpenOption.APPEND);
            assertThatThrownBy(() -> other.verified(adapter))
                    .isInstanceOf(LoricaException.Incompatible.class)
                    .hasMessageContaining("s3://adapters/team/tone")
                    .hasMessageContaining(adapter.sha256().substring(0, 12));
        }
        assertThat(folder.resolve("other")).isEmptyDirectory();
    }

    /** Keeps an adapter with a hash of its own, last used so many hours ago, less half an hour. */
    private Path kept(Locations within, String name, int hours) throws IOException {
        Path there = Files.createDirectories(folder.resolve("objects/adapters/" + name));
        Files.copy(object("adapter_model.safetensors"), there.resolve("adapter_model.safetensors"));
        Files.writeString(
                there.resolve("adapter_config.json"),
                Files.readString(object("adapter_config.json")) + " ".repeat(++others));
        Path files = within.verified(within.describe(name, Location.parse("s3://adapters/" + name)));
        Files.setLastModifiedTime(
                files,
                FileTime.from(Instant.now().minus(Duration.ofHours(hours)).plus(Duration.ofMinutes(30))));
        return files;
    }

    @Test
    void verified_cacheOverItsSize_longestUnusedLeaves() throws IOException {
        long two =
                2 * (Files.size(object("adapter_config.json")) + Files.size(object("adapter_model.safetensors")) + 10);
        try (Locations small = new Locations(folder.resolve("cache"), two, Optional.of(store.endpoint()))) {
            Path recent = kept(small, "recent", 1);
            Path older = kept(small, "older", 3);
            Path newest = kept(small, "newest", 2);
            assertThat(older).doesNotExist();
            assertThat(recent).exists();
            assertThat(newest).exists();
            assertThat(cached()).isEqualTo(2);
        }
    }

    @Test
    void verified_cacheOverItsSizeButAllInUse_nothingLeaves() throws IOException {
        try (Locations tiny = new Locations(folder.resolve("cache"), 1, Optional.of(store.endpoint()))) {
            Path first = kept(tiny, "first", 0);
            Path second = kept(tiny, "second", 0);
            assertThat(first).exists();
            assertThat(second).exists();
        }
    }

    @Test
    void verified_folderOfAnotherHash_isRefused() throws IOException {
        RegisteredAdapter adapter = locations.describe("tone", new Location.Folder(object("")));
        assertThat(locations.verified(adapter)).isEqualTo(object("").toAbsolutePath());
        Files.writeString(object("adapter_config.json"), " ", StandardOpenOption.APPEND);
        assertThatThrownBy(() -> locations.verified(adapter)).isInstanceOf(LoricaException.Incompatible.class);
    }

    @Test
    void describe_missingObject_isNotFound() throws IOException {
        Files.delete(object("adapter_model.safetensors"));
        assertThatThrownBy(() -> locations.describe("tone", BUCKET))
                .isInstanceOf(LoricaException.NotFound.class)
                .hasMessageContaining("s3://adapters/team/tone/adapter_model.safetensors");
        assertThat(folder.resolve("cache")).isEmptyDirectory();
    }

    @Test
    void describe_refusedCredentials_saysSo() {
        System.setProperty("aws.accessKeyId", "somebody-else");
        assertThatThrownBy(() -> locations.describe("tone", BUCKET))
                .isInstanceOf(LoricaException.Internal.class)
                .hasMessageContaining("credentials");
    }

    @ParameterizedTest
    @ValueSource(strings = {"s3://", "s3://bucket", "s3://bucket/", "s3://B/x", "http://host/x", "s3:///x", "a\u0000b"})
    void parse_otherText_isRefused(String text) {
        assertThatThrownBy(() -> Location.parse(text)).isInstanceOf(LoricaException.BadInput.class);
    }

    @Test
    void parse_written_isTheSame() {
        assertThat(Location.parse("s3://adapters/team/tone/")).isEqualTo(BUCKET).hasToString("s3://adapters/team/tone");
        Location here = Location.parse("here/../there");
        assertThat(Location.parse(here.toString())).isEqualTo(here);
    }
}
