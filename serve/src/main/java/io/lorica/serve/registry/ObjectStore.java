package io.lorica.serve.registry;

import io.lorica.adapter.Adapter;
import io.lorica.adapter.Provenance;
import io.lorica.tensor.LoricaException;
import java.net.URI;
import java.nio.file.Path;
import java.util.Optional;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;
import software.amazon.awssdk.core.exception.SdkException;
import software.amazon.awssdk.http.urlconnection.UrlConnectionHttpClient;
import software.amazon.awssdk.regions.Region;
import software.amazon.awssdk.services.s3.S3Client;
import software.amazon.awssdk.services.s3.S3ClientBuilder;
import software.amazon.awssdk.services.s3.model.NoSuchKeyException;

/**
 * Reads adapters from an object store by S3's protocol. Credentials, region and proxy are what AWS's own environment
 * variables and files say. The client is made when first needed.
 */
final class ObjectStore implements AutoCloseable {
    private final Optional<URI> endpoint;
    private final ReentrantLock lock = new ReentrantLock();
    private @Nullable S3Client client;

    ObjectStore(Optional<URI> endpoint) {
        this.endpoint = endpoint;
    }

    /** Gets the files that make an adapter, and no other object; {@code lorica.json} where there is one. */
    void download(Location.Bucket from, Path folder) {
        for (String file : Adapter.FILES) {
            String key = from.key(file);
            try {
                client().getObject(request -> request.bucket(from.bucket()).key(key), folder.resolve(file));
            } catch (NoSuchKeyException _) {
                if (!file.equals(Provenance.FILE)) {
                    throw new LoricaException.NotFound(Location.SCHEME + from.bucket() + "/" + key
                            + " does not exist; a location holds adapter_config.json and adapter_model.safetensors");
                }
            } catch (SdkException e) {
                throw new LoricaException.Internal(
                        Location.SCHEME + from.bucket() + "/" + key + " cannot be read: " + e.getMessage()
                                + "; check endpoint, credentials (s3:GetObject, s3:ListBucket) and that it is there",
                        e);
            }
        }
    }

    private S3Client client() {
        lock.lock();
        try {
            S3Client known = client;
            if (known == null) {
                known = connect();
                client = known;
            }
            return known;
        } finally {
            lock.unlock();
        }
    }

    /** Other stores have no regions, but signatures name one; and buckets are steps of their paths, not host names. */
    private S3Client connect() {
        S3ClientBuilder builder = S3Client.builder().httpClientBuilder(UrlConnectionHttpClient.builder());
        endpoint.ifPresent(uri -> builder.endpointOverride(uri)
                .forcePathStyle(true)
                .region(Region.of(System.getenv().getOrDefault("AWS_REGION", "us-east-1"))));
        return builder.build();
    }

    @Override
    public void close() {
        lock.lock();
        try {
            if (client != null) {
                client.close();
                client = null;
            }
        } finally {
            lock.unlock();
        }
    }
}
