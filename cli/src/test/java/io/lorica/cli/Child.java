package io.lorica.cli;

import io.lorica.tensor.Memory;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/**
 * A real process that runs the program, in the environment the launcher sets.
 *
 * @param output where both of its streams go
 */
record Child(Process process, Path output) {
    private static final Map<String, String> ENVIRONMENT = Map.of(
            "MALLOC_MMAP_MAX_", "0",
            "MALLOC_TRIM_THRESHOLD_", "17179869184",
            "MALLOC_ARENA_MAX", "1",
            "OMP_NUM_THREADS", "1");

    static Child start(Path output, Path home, List<String> arguments) throws IOException {
        List<String> command = new ArrayList<>();
        command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
        ManagementFactory.getRuntimeMXBean().getInputArguments().stream()
                .filter(argument -> argument.startsWith("-Dorg.bytedeco") || argument.startsWith("--"))
                .forEach(command::add);
        String path = System.getProperty("surefire.test.class.path", System.getProperty("java.class.path"));
        command.addAll(List.of("-XX:+UseSerialGC", "-Xms64m", "-Xmx1g", "-Djava.awt.headless=true"));
        command.addAll(List.of("-Dlorica.home=" + home, "-cp", path, Main.class.getName()));
        command.addAll(arguments);
        ProcessBuilder builder =
                new ProcessBuilder(command).redirectErrorStream(true).redirectOutput(output.toFile());
        builder.environment().putAll(ENVIRONMENT);
        return new Child(builder.start(), output);
    }

    /** Waits for its end; the most resident bytes it was seen with. */
    long peak() throws InterruptedException {
        long peak = 0;
        while (process.isAlive()) {
            peak = Math.max(peak, Memory.peak(process.pid()).orElse(0));
            Thread.sleep(10);
        }
        return peak;
    }

    String text() {
        try {
            return Files.readString(output);
        } catch (IOException e) {
            return e.toString();
        }
    }
}
