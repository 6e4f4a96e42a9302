package io.lorica.serve.registry;

import io.lorica.adapter.Adapter;
import io.lorica.adapter.Provenance;
import io.lorica.tensor.LoricaException;
import java.net.URI;
import java.nio.file.Path;
import java.util.Optional;
import software.amazon.awssdk.core.exception.SdkException;
import software.amazon.awssdk.http.urlconnection.UrlConnectionHttpClient;
import software.amazon.awssdk.regions.Region;
import software.amazon.awssdk.services.s3.S3Client;
import software.amazon.awssdk.services.s3.S3ClientBuilder;
import software.amazon.awssdk.services.s3.model.NoSuchKeyException;

/**
 * Reads adapters from an object store by S3's protocol. Credentials, region and proxy are what AWS's own environment
 * variables and files say.
 */
final class ObjectStore implements AutoCloseable {
    private final S3Client client;

    ObjectStore(Optional<URI> endpoint) {
        client = connect(endpoint);
    }

    /** Gets the files that make an adapter, and no other object; {@code lorica.json} where there is one. */
    void download(Location.Bucket from, Path folder) {
        for (String file : Adapter.FILES) {
            String key = from.key(file);
            try {
                client.getObject(request -> request.bucket(from.bucket()).key(key), folder.resolve(file));
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

    /** Other stores have no regions, but signatures name one; and buckets are steps of their paths, not host names. */
    private static S3Client connect(Optional<URI> endpoint) {
        S3ClientBuilder builder = S3Client.builder().httpClientBuilder(UrlConnectionHttpClient.builder());
        endpoint.ifPresent(uri -> builder.endpointOverride(uri)
                .forcePathStyle(true)
                .region(Region.of(System.getenv().getOrDefault("AWS_REGION", "us-east-1"))));
        return builder.build();
    }

    @Override
    public void close() {
        client.close();
    }
}
