package io.lorica.bench;

import io.lorica.tensor.LoricaException;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;

/**
 * A program of {@code bench/peers} that does the same with other software.
 *
 * @param python its interpreter, with {@code bench/peers/requirements.txt} installed
 * @param script the program
 */
public record Peer(Path python, Path script) {

    /** @throws LoricaException.NotFound where the program or its libraries are not there, before any work starts */
    void require() {
        if (!Files.isRegularFile(script)) {
            throw new LoricaException.NotFound("the peer's program " + script
                    + " is not there; run from the repository's root or give --peers DIR");
        }
        try {
            Process process = new ProcessBuilder(python.toString(), "-c", "import torch, transformers, peft")
                    .redirectErrorStream(true)
                    .start();
            String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
            if (process.waitFor() != 0) {
                throw new LoricaException.NotFound(python + " cannot import the peer (" + Child.lastLine(output)
                        + "); make it with: python3 -m venv .venv && .venv/bin/pip install -r"
                        + " bench/peers/requirements.txt, then give --python .venv/bin/python");
            }
        } catch (IOException e) {
            throw new LoricaException.NotFound(
                    "the peer's Python " + python + " does not start: " + e.getMessage() + "; give --python");
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new LoricaException.Internal("interrupted while starting the peer");
        }
    }

    List<String> command(String... arguments) {
        return Stream.concat(Stream.of(python.toString(), script.toString()), Stream.of(arguments))
                .toList();
    }
}
