package io.lorica.model;

import io.lorica.tensor.LoricaException;
import java.io.File;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** Python's package installer, found on the PATH: {@code pip}, {@code pip3} or {@code python3 -m pip}. */
final class Pip {
    private static final List<List<String>> COMMANDS =
            List.of(List.of("pip"), List.of("pip3"), List.of("python3", "-m", "pip"), List.of("python", "-m", "pip"));
    private static final List<String> ENDINGS =
            File.separatorChar == '\\' ? List.of(".exe", ".cmd", ".bat") : List.of("");

    private final Map<String, String> environment;

    /** @param environment as {@link System#getenv()} gives it; {@code PATH} is searched */
    Pip(Map<String, String> environment) {
        this.environment = environment;
    }

    /** How pip is called here, or {@code pip} where there is none. */
    String name() {
        return command().map(Command::name).orElse("pip");
    }

    /**
     * Downloads one wheel and none of its dependencies. Source distributions are refused, since building one runs its
     * code.
     */
    void download(String requirement, Path directory) {
        Command command = command()
                .orElseThrow(() -> new LoricaException.NotFound(
                        "no pip, pip3 or python3 on the PATH to fetch " + requirement + " with; install Python's pip"));
        List<String> line = new ArrayList<>(command.line());
        line.addAll(List.of("download", "--no-deps", "--only-binary", ":all:", "--quiet"));
        line.addAll(List.of("--disable-pip-version-check", "--no-input", "--retries", "2", "--timeout", "10"));
        line.addAll(List.of("--dest", directory.toString(), requirement));
        try {
            ProcessBuilder builder = new ProcessBuilder(line).redirectErrorStream(true);
            builder.environment().putAll(environment);
            Process process = builder.start();
            process.getOutputStream().close();
            String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
            int status = process.waitFor();
            if (status != 0) {
                throw new LoricaException.NotFound("'" + command.name() + " download " + requirement
                        + "' failed with exit code " + status + ": " + lastLine(output));
            }
        } catch (IOException e) {
            throw new LoricaException.NotFound("cannot run " + command.name() + ": " + e.getMessage());
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new LoricaException.Internal("interrupted while " + command.name() + " downloaded " + requirement, e);
        }
    }

    private static String lastLine(String output) {
        return output.strip().lines().reduce((_, last) -> last).orElse("it said nothing");
    }

    private record Command(String name, List<String> line) {}

    private Optional<Command> command() {
        for (List<String> command : COMMANDS) {
            Optional<Path> program = find(command.getFirst());
            if (program.isPresent()) {
                List<String> line = new ArrayList<>(command);
                line.set(0, program.get().toString());
                return Optional.of(new Command(String.join(" ", command), line));
            }
        }
        return Optional.empty();
    }

    private Optional<Path> find(String program) {
        for (String directory : environment.getOrDefault("PATH", "").split(File.pathSeparator)) {
            for (String ending : ENDINGS) {
                if (!directory.isEmpty()) {
                    Path candidate = Path.of(directory, program + ending);
                    if (Files.isRegularFile(candidate) && Files.isExecutable(candidate)) {
                        return Optional.of(candidate);
                    }
                }
            }
        }
        return Optional.empty();
    }
}
