package io.lorica.serve.registry;

import static java.nio.charset.StandardCharsets.UTF_8;

import io.lorica.tensor.AtomicFile;
import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;

/** A server of PostgreSQL in a temporary folder, on a port of its own, from {@link #start} to {@link #stop}. */
final class LocalPostgres {
    private static final Path VERSIONS = Path.of("/usr/lib/postgresql");

    /** PostgreSQL refuses to run as root. */
    private static final List<String> AS_NOBODY =
            List.of("setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups", "--");

    private final Path programs;
    private final Path folder;
    private final int port;

    private LocalPostgres(Path programs, Path folder, int port) {
        this.programs = programs;
        this.folder = folder;
        this.port = port;
    }

    /** Empty where it is not installed. */
    static Optional<LocalPostgres> start() throws IOException, InterruptedException {
        Optional<Path> programs = programs();
        if (programs.isEmpty()) {
            return Optional.empty();
        }
        Path folder = Files.createTempDirectory("lorica-postgres");
        if (root()) {
            Files.setOwner(
                    folder,
                    folder.getFileSystem().getUserPrincipalLookupService().lookupPrincipalByName("nobody"));
        }
        int port;
        try (ServerSocket free = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            port = free.getLocalPort();
        }
        LocalPostgres server = new LocalPostgres(programs.get(), folder, port);
        server.run(
                "initdb", "-D", server.data(), "-U", "lorica", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync");
        server.run(
                "pg_ctl",
                "-D",
                server.data(),
                "-w",
                "-l",
                folder.resolve("log").toString(),
                "-o",
                "-p " + port + " -k " + folder + " -c listen_addresses=127.0.0.1 -c fsync=off",
                "start");
        return Optional.of(server);
    }

    /** Debian's newest, else what is on the path. */
    private static Optional<Path> programs() throws IOException {
        List<Path> folders = new ArrayList<>();
        if (Files.isDirectory(VERSIONS)) {
            try (Stream<Path> versions = Files.list(VERSIONS)) {
                versions.sorted().forEach(version -> folders.addFirst(version.resolve("bin")));
            }
        }
        for (String entry : System.getenv().getOrDefault("PATH", "").split(":")) {
            folders.add(Path.of(entry));
        }
        return folders.stream()
                .filter(folder -> Files.isExecutable(folder.resolve("initdb")))
                .findFirst();
    }

    private static boolean root() {
        return System.getProperty("user.name", "").equals("root");
    }

    private String data() {
        return folder.resolve("data").toString();
    }

    private void run(String program, String... arguments) throws IOException, InterruptedException {
        List<String> command = new ArrayList<>(root() ? AS_NOBODY : List.of());
        command.add(programs.resolve(program).toString());
        command.addAll(List.of(arguments));
        Path out = Files.createTempFile("lorica-postgres", ".out"); // the server inherits it, a pipe would stay open
        try {
            Process process = new ProcessBuilder(command)
                    .directory(folder.toFile())
                    .redirectErrorStream(true)
                    .redirectOutput(out.toFile())
                    .start();
            if (process.waitFor() != 0) {
                throw new IOException(program + " failed: " + Files.readString(out, UTF_8));
            }
        } finally {
            Files.delete(out);
        }
    }

    String url() {
        return "jdbc:postgresql://127.0.0.1:" + port + "/postgres?user=lorica";
    }

    void stop() throws IOException, InterruptedException {
        run("pg_ctl", "-D", data(), "-m", "immediate", "-w", "stop");
        AtomicFile.deleteTree(folder);
    }
}
