package io.lorica.bench.serving;

import io.lorica.tensor.LoricaException;
import io.lorica.tensor.Memory;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;

/** A server in a process of its own, with what it prints in a file. */
final class ServerProcess implements AutoCloseable {
    private static final Duration PATIENCE = Duration.ofMinutes(10);

    private final Process process;
    private final URI address;
    private final double readySeconds;

    private ServerProcess(Process process, URI address, double readySeconds) {
        this.process = process;
        this.address = address;
        this.readySeconds = readySeconds;
    }

    /** @throws LoricaException.Internal with the end of what it printed, where it does not come to answer */
    static ServerProcess start(Contender contender, Contender.Place place, Path log) throws InterruptedException {
        URI address = URI.create("http://127.0.0.1:" + place.port());
        long began = System.nanoTime();
        try {
            ProcessBuilder builder = new ProcessBuilder(contender.start().command(place))
                    .redirectErrorStream(true)
                    .redirectOutput(log.toFile());
            builder.environment().putAll(contender.environment());
            Process process = builder.start();
            while (!answers(address)) {
                if (!process.isAlive() || System.nanoTime() - began > PATIENCE.toNanos()) {
                    String why = process.isAlive() ? "does not answer" : "ended with code " + process.exitValue();
                    kill(process);
                    throw new LoricaException.Internal(contender.name() + " " + why + ":\n" + end(log));
                }
                Thread.sleep(100);
            }
            return new ServerProcess(process, address, (System.nanoTime() - began) / 1e9);
        } catch (IOException e) {
            throw new LoricaException.NotFound(contender.name() + " does not start: " + e.getMessage());
        }
    }

    private static boolean answers(URI address) throws InterruptedException {
        HttpRequest request = HttpRequest.newBuilder(address.resolve("/v1/models"))
                .timeout(Duration.ofSeconds(5))
                .build();
        try (HttpClient http = HttpClient.newHttpClient()) {
            return http.send(request, HttpResponse.BodyHandlers.discarding()).statusCode() == 200;
        } catch (IOException e) {
            return false; // not yet
        }
    }

    static String end(Path log) {
        try {
            List<String> lines = Files.readAllLines(log);
            return String.join("\n", lines.subList(Math.max(0, lines.size() - 8), lines.size()));
        } catch (IOException e) {
            return "(its output cannot be read: " + e.getMessage() + ")";
        }
    }

    URI address() {
        return address;
    }

    double readySeconds() {
        return readySeconds;
    }

    /** Of the process and its children, each at its own peak; 0 where the system does not say. */
    long peakBytes() {
        return Stream.concat(Stream.of(process.toHandle()), process.descendants())
                .mapToLong(each -> Memory.peak(each.pid()).orElse(0))
                .sum();
    }

    @Override
    public void close() {
        kill(process);
    }

    private static void kill(Process process) {
        List<ProcessHandle> children = process.descendants().toList();
        process.destroy();
        try {
            if (!process.waitFor(20, TimeUnit.SECONDS)) {
                process.destroyForcibly().waitFor();
            }
        } catch (InterruptedException e) {
            process.destroyForcibly();
            Thread.currentThread().interrupt();
        }
        children.forEach(ProcessHandle::destroyForcibly);
    }
}
