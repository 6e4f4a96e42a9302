package io.lorica.serve.parallel;

import io.lorica.tensor.LoricaException;
import java.io.BufferedOutputStream;
import java.io.BufferedReader;
import java.io.DataOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.io.Writer;
import java.lang.management.ManagementFactory;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;

/** A process of another rank as the first one sees it. */
final class Peer implements AutoCloseable {
    private final int rank;
    private final Process process;
    private final DataOutputStream out;

    private Peer(int rank, Process process) {
        this.rank = rank;
        this.process = process;
        out = new DataOutputStream(new BufferedOutputStream(process.getOutputStream()));
    }

    /** Starts one with the Java, class path and settings of this process. */
    static Peer start(int rank, List<String> arguments) {
        List<String> command = new ArrayList<>();
        command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
        ManagementFactory.getRuntimeMXBean().getInputArguments().stream()
                .filter(flag -> !flag.startsWith("-javaagent") && !flag.startsWith("-agent"))
                .forEach(command::add);
        command.addAll(List.of("-cp", System.getProperty("java.class.path"), Follower.class.getName()));
        command.addAll(arguments);
        try {
            return new Peer(
                    rank,
                    new ProcessBuilder(command)
                            .redirectError(ProcessBuilder.Redirect.INHERIT)
                            .start());
        } catch (IOException e) {
            throw new LoricaException.Internal(
                    "rank " + rank + " of tensor parallelism cannot be started (" + e.getMessage()
                            + "); check that this machine may start processes",
                    e);
        }
    }

    /** Waits until its model is loaded; what it prints later is let go. */
    void awaitReady() {
        try {
            BufferedReader lines = process.inputReader(StandardCharsets.UTF_8);
            for (String line = lines.readLine(); !Follower.READY.equals(line); line = lines.readLine()) {
                if (line == null) {
                    throw new LoricaException.Internal("rank " + rank + " of tensor parallelism ended with exit code "
                            + exitCode() + " before it was ready; its own message stands above");
                }
            }
            Thread.ofPlatform().daemon().name("lorica-rank-" + rank).start(() -> drain(lines));
        } catch (IOException _) {
            throw ended();
        }
    }

    private static void drain(BufferedReader lines) {
        try {
            lines.transferTo(Writer.nullWriter());
        } catch (IOException _) {
            // The process has ended, which onExit tells.
        }
    }

    private int exitCode() {
        try {
            return process.waitFor();
        } catch (InterruptedException _) {
            Thread.currentThread().interrupt();
            throw new LoricaException.Busy("interrupted while ranks were started; start again");
        }
    }

    void send(Message message) {
        try {
            message.write(out);
        } catch (IOException _) {
            throw ended();
        }
    }

    LoricaException ended() {
        return new LoricaException.Internal(
                "rank " + rank + " of tensor parallelism has ended; start the server again");
    }

    /** Runs when it ends, on some thread. */
    void onExit(Runnable action) {
        var _ = process.onExit().thenRun(action);
    }

    int rank() {
        return rank;
    }

    long pid() {
        return process.pid();
    }

    /** Lets it end, which it does when nothing more can come. */
    @Override
    public void close() {
        try (OutputStream _ = out) {
            // Closing is the message.
        } catch (IOException _) {
            // It has ended already.
        }
        try {
            if (!process.waitFor(10, TimeUnit.SECONDS)) {
                process.destroyForcibly();
            }
        } catch (InterruptedException _) {
            process.destroyForcibly();
            Thread.currentThread().interrupt();
        }
    }
}
