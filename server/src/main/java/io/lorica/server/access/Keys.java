package io.lorica.server.access;

import static java.nio.charset.StandardCharsets.UTF_8;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.fasterxml.jackson.dataformat.yaml.YAMLMapper;
import io.helidon.http.HeaderNames;
import io.helidon.http.HeaderValues;
import io.helidon.http.HttpException;
import io.helidon.http.Status;
import io.lorica.adapter.Options;
import io.lorica.tensor.LoricaException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.security.SecureRandom;
import java.time.InstantSource;
import java.util.Base64;
import java.util.Collection;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;

/**
 * The API keys of a file, as their SHA-256 only: a key is drawn with 256 bits, so nothing slower than a hash is needed.
 * The file is YAML or JSON: {@code keys:}, a list of {@code tenant}, {@code sha256}, and as wanted {@code models},
 * {@code admin}, {@code requests_per_minute}, {@code tokens_per_minute}, {@code tokens_per_day}. Each tenant has one
 * key.
 */
public final class Keys {
    private static final String PREFIX = "sk-lorica-";
    private static final String BEARER = "bearer ";

    private final Map<String, Tenant> byHash;
    private final Map<String, Tenant> byName;

    private Keys(Map<String, Tenant> byHash, Map<String, Tenant> byName) {
        this.byHash = byHash;
        this.byName = byName;
    }

    /** No keys: everybody is one tenant without name, who may use every model but administrate nothing. */
    public static Keys none() {
        Tenant everybody = new Tenant("", false, List.of("*"), Limits.NONE, InstantSource.system());
        return new Keys(Map.of(), Map.of("", everybody));
    }

    /** @throws LoricaException.BadInput where the file is malformed; it says where */
    public static Keys read(Path file) {
        return read(file, InstantSource.system());
    }

    static Keys read(Path file, InstantSource clock) {
        Options options = new Options(object(file), file.toString());
        JsonNode list = options.take("keys").orElse(null);
        options.refuseUnknown();
        if (list == null || !list.isArray() || list.isEmpty()) {
            throw new LoricaException.BadInput(file + ": key 'keys' must be a list of at least one key");
        }
        Map<String, Tenant> byHash = new LinkedHashMap<>();
        Map<String, Tenant> byName = new LinkedHashMap<>();
        for (int i = 0; i < list.size(); i++) {
            String where = file + ": keys[" + i + "]";
            if (!(list.get(i) instanceof ObjectNode entry)) {
                throw new LoricaException.BadInput(where + " must be an object with 'tenant' and 'sha256'");
            }
            add(new Options(entry, where), clock, byHash, byName);
        }
        return new Keys(byHash, byName);
    }

    private static void add(
            Options options, InstantSource clock, Map<String, Tenant> byHash, Map<String, Tenant> byName) {
        String name = options.text("tenant", "");
        String hash = options.text("sha256", "").toLowerCase(Locale.ROOT);
        List<String> models = options.strings("models");
        boolean admin = options.flag("admin", false);
        Limits limits = Limits.of(options);
        options.refuseUnknown();
        if (!name.matches("[A-Za-z0-9][A-Za-z0-9._-]{0,63}")) {
            throw new LoricaException.BadInput(options.where() + ": key 'tenant' is '" + name
                    + "', but must be up to 64 letters, digits, '.', '_' and '-'");
        }
        if (!hash.matches("[0-9a-f]{64}")) {
            throw new LoricaException.BadInput(options.where()
                    + ": key 'sha256' must be the 64 hex digits of the key's SHA-256, not the key itself;"
                    + " 'lorica key' draws one and prints both");
        }
        Tenant tenant = new Tenant(name, admin, models.isEmpty() ? List.of("*") : models, limits, clock);
        if (byName.put(name, tenant) != null || byHash.put(hash, tenant) != null) {
            throw new LoricaException.BadInput(
                    options.where() + ": tenant '" + name + "' or its key is there twice; give each its own");
        }
    }

    private static ObjectNode object(Path file) {
        try {
            // YAML is a superset of JSON
            if (new YAMLMapper().readTree(Files.readString(file)) instanceof ObjectNode object) {
                return object;
            }
            throw new LoricaException.BadInput(file + " holds no object; it must begin with 'keys:'");
        } catch (JsonProcessingException e) {
            throw new LoricaException.BadInput(file + " is neither YAML nor JSON: " + e.getOriginalMessage(), e);
        } catch (IOException e) {
            throw new LoricaException.NotFound(
                    "the keys cannot be read from " + file + " (" + e.getClass().getSimpleName() + "); name a file");
        }
    }

    /** Whether clients must show a key. */
    public boolean required() {
        return !byHash.isEmpty();
    }

    public Collection<Tenant> tenants() {
        return byName.values();
    }

    /**
     * Who asks.
     *
     * @param authorization the header of that name
     * @throws HttpException with status 401 where a key is needed and none, or none that is known, was shown
     */
    public Tenant caller(Optional<String> authorization) {
        if (!required()) {
            return byName.values().iterator().next();
        }
        String header = authorization.orElse("");
        if (!header.toLowerCase(Locale.ROOT).startsWith(BEARER)) {
            throw refused("no API key was sent; send it as 'Authorization: Bearer KEY'");
        }
        Tenant tenant = byHash.get(hash(header.substring(BEARER.length()).strip()));
        if (tenant == null) {
            throw refused("the API key is not known here; check it with whoever runs this server");
        }
        return tenant;
    }

    private static HttpException refused(String message) {
        return new HttpException(message, Status.UNAUTHORIZED_401)
                .header(HeaderValues.create(HeaderNames.WWW_AUTHENTICATE, "Bearer"));
    }

    /** A key that nobody can guess. */
    public static String draw() {
        byte[] bytes = new byte[32];
        new SecureRandom().nextBytes(bytes);
        return PREFIX + Base64.getUrlEncoder().withoutPadding().encodeToString(bytes);
    }

    /** What the file holds of a key. */
    public static String hash(String key) {
        try {
            return HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(key.getBytes(UTF_8)));
        } catch (NoSuchAlgorithmException e) {
            throw new LoricaException.Internal("this JVM has no SHA-256", e);
        }
    }
}
