package io.lorica.server.access;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.helidon.http.HttpException;
import io.lorica.tensor.LoricaException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class KeysTest {
    private static final String HASH = Keys.hash("secret");

    @TempDir
    Path folder;

    private Instant now = Instant.parse("2026-11-23T23:00:00Z");

    private Keys read(String text) {
        try {
            return Keys.read(Files.writeString(folder.resolve("keys.yaml"), text), () -> now);
        } catch (IOException e) {
            throw new IllegalStateException(e);
        }
    }

    private Tenant tenant(String more) {
        return read("keys:\n  - tenant: acme\n    sha256: " + HASH + "\n" + more)
                .caller(Optional.of("Bearer secret"));
    }

    private static String seconds(HttpException refused) {
        return refused.headers().stream()
                .filter(header -> header.name().equalsIgnoreCase("Retry-After"))
                .findFirst()
                .orElseThrow()
                .get();
    }

    private static HttpException refusal(Tenant tenant) {
        try {
            tenant.admit();
            throw new AssertionError("was let in");
        } catch (HttpException e) {
            assertThat(e.status().code()).isEqualTo(429);
            return e;
        }
    }

    /** The digest is what {@code printf secret | sha256sum} prints. */
    @Test
    void hash_ofKey_isItsSha256() {
        assertThat(HASH).isEqualTo("2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b");
    }

    @Test
    void caller_withKey_isItsTenant() {
        Tenant tenant = tenant("    models: [base, 'acme-*']\n    admin: true\n");
        assertThat(tenant.name()).isEqualTo("acme");
        assertThat(tenant.admin()).isTrue();
        assertThat(tenant.mayUse("acme-tone")).isTrue();
        assertThat(tenant.mayUse("base")).isTrue();
        assertThat(tenant.mayUse("other-acme-tone")).isFalse();
        assertThat(tenant.mayUse("baseX")).isFalse();
    }

    @ParameterizedTest
    @CsvSource({"''", "Bearer wrong", "secret", "Basic secret"})
    void caller_withoutOrWithWrongKey_isRefused(String header) {
        Keys keys = read("{\"keys\": [{\"tenant\": \"acme\", \"sha256\": \"" + HASH + "\"}]}");
        assertThatThrownBy(() -> keys.caller(Optional.of(header).filter(text -> !text.isEmpty())))
                .isInstanceOfSatisfying(
                        HttpException.class, e -> assertThat(e.status().code()).isEqualTo(401));
    }

    @Test
    void admit_beyondRequestRate_saysWhenToTryAgain() {
        Tenant tenant = tenant("    requests_per_minute: 2\n");
        tenant.admit();
        tenant.admit();
        assertThat(seconds(refusal(tenant))).isEqualTo("30");
        now = now.plus(Duration.ofSeconds(30));
        tenant.admit();
        assertThat(tenant.usage().requests()).isEqualTo(3);
        assertThat(tenant.usage().refused()).isEqualTo(1);
    }

    @Test
    void admit_afterOverdrawingTokens_waitsUntilMadeUp() {
        Tenant tenant = tenant("    tokens_per_minute: 60\n");
        tenant.admit();
        tenant.charge(40, 49);
        assertThat(seconds(refusal(tenant))).isEqualTo("30");
        now = now.plus(Duration.ofSeconds(30));
        tenant.admit();
    }

    @Test
    void admit_afterDaysBudget_waitsForMidnight() {
        Tenant tenant = tenant("    tokens_per_day: 100\n");
        tenant.admit();
        tenant.charge(60, 40);
        assertThat(seconds(refusal(tenant))).isEqualTo("3600");
        now = now.plus(Duration.ofHours(1));
        tenant.admit();
        assertThat(tenant.usage().today()).isZero();
        assertThat(tenant.usage().promptTokens()).isEqualTo(60);
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "keys: [] | at least one",
                "keys: [{tenant: a, sha256: secret}] | 64 hex digits",
                "keys: [{tenant: a b, sha256: x}] | tenant",
                "keys: [{tenant: a, sha256: x, modells: b}] | did you mean 'models'",
                "kees: [] | did you mean 'keys'",
                "'keys: [' | neither YAML nor JSON",
                "keys: [7] | object"
            })
    void read_malformed_saysWhere(String text, String part) {
        assertThatThrownBy(() -> read(text))
                .isInstanceOf(LoricaException.BadInput.class)
                .hasMessageContaining("keys.yaml")
                .hasMessageContaining(part);
    }

    @Test
    void none_everybody_mayUseAllButAdministrateNothing() {
        Tenant everybody = Keys.none().caller(Optional.empty());
        assertThat(everybody.mayUse("anything")).isTrue();
        assertThat(everybody.admin()).isFalse();
    }
}
