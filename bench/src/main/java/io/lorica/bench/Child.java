package io.lorica.bench;

import com.fasterxml.jackson.databind.ObjectMapper;
import io.lorica.tensor.LoricaException;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/** A run in a process of its own, which prints its result as JSON in its last line. */
final class Child {
    private static final ObjectMapper JSON = new ObjectMapper();

    private Child() {}

    /** @throws LoricaException.Internal with the last line of its standard error where the process fails */
    static <T> T run(List<String> command, Class<T> result) {
        try {
            Path errors = Files.createTempFile("lorica-bench", ".err");
            try {
                return JSON.readValue(lastLine(output(command, errors)), result);
            } finally {
                Files.delete(errors);
            }
        } catch (IOException e) {
            throw new LoricaException.Internal(command.getFirst() + " gave no result: " + e.getMessage(), e);
        }
    }

    private static String output(List<String> command, Path errors) throws IOException {
        Process process =
                new ProcessBuilder(command).redirectError(errors.toFile()).start();
        try {
            String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
            int code = process.waitFor();
            if (code != 0) {
                throw new LoricaException.Internal(
                        command.getFirst() + " ended with code " + code + ": " + lastLine(Files.readString(errors)));
            }
            return output;
        } catch (InterruptedException e) {
            process.destroyForcibly();
            Thread.currentThread().interrupt();
            throw new LoricaException.Internal("interrupted while a run was under way");
        }
    }

    static String lastLine(String text) {
        return text.strip().lines().reduce((_, last) -> last).orElse("no output");
    }
}
