package io.lorica.bench.serving;

import io.lorica.bench.serving.Workload.Arrival;
import io.lorica.model.ModelStore;
import io.lorica.model.Pretrained;
import io.lorica.tensor.DType;
import io.lorica.tensor.LoricaException;
import java.io.IOException;
import java.io.PrintStream;
import java.net.ServerSocket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/**
 * Servers of many adapters, each in a process of its own, one after the other, under the same requests at the same times.
 * Requests as those that count warm each up before, for the paper strips both ends of its runs too. What is not answered
 * when the time is over is broken off; its tokens count.
 */
public final class ServeBench {
    private ServeBench() {}

    /**
     * @param model a reference, which is written as a Hugging Face directory in bfloat16 for all servers
     * @param workload its number of adapters is replaced by each of {@code counts} in turn
     * @param warmUp seconds of load before what counts
     * @param servers in their order
     */
    public record Setup(
            String model, Workload workload, List<Integer> counts, double warmUp, Servers servers, int threads) {}

    /** A server's score at a number of adapters. */
    public record Row(int adapters, String server, Score score) {}

    /**
     * Runs all. Progress goes to {@code log}.
     *
     * @param directory where the adapters go, and what the servers print; a folder for each number of adapters
     */
    public static List<Row> run(Setup setup, ModelStore store, Path directory, PrintStream log)
            throws IOException, InterruptedException {
        Path model = directory.resolve("model").toAbsolutePath();
        if (!Files.exists(model)) {
            store.export(setup.model(), model, DType.BF16);
        }
        List<Row> rows = new ArrayList<>();
        for (int count : setup.counts()) {
            log.printf("%d adapters …%n", count);
            Path place = Files.createDirectories(directory.resolve("" + count));
            int vocabulary;
            RandomAdapters adapters;
            try (Pretrained base = store.open(model.toString(), DType.F32)) {
                vocabulary = base.tokenizer().vocabularySize();
                adapters = RandomAdapters.create(base.model(), model.toString(), place, count);
            }
            Workload workload = setup.workload().withAdapters(count);
            List<Arrival> warmUp = workload.withSeconds(setup.warmUp()).arrivals(vocabulary);
            List<Arrival> arrivals = workload.arrivals(vocabulary);
            for (Contender contender : setup.servers().contenders()) {
                if (count > contender.maxAdapters()) {
                    log.printf("  %-10s holds at most %d here%n", contender.name(), contender.maxAdapters());
                    continue;
                }
                Contender.Place where = new Contender.Place(model, adapters, count, setup.threads(), freePort());
                Path output = place.resolve(contender.name() + ".log");
                try (ServerProcess server = ServerProcess.start(contender, where, output)) {
                    Client client = new Client(server.address(), contender.dialect());
                    requireAnswer(client.ask(arrivals.getFirst()), contender, output);
                    client.offer(warmUp, setup.warmUp());
                    List<Outcome> outcomes = client.offer(arrivals, workload.seconds());
                    Score score = Score.of(outcomes, workload.seconds(), server.peakBytes(), server.readySeconds());
                    log.printf(Locale.ROOT, "  %-10s %8.1f tokens/s%n", contender.name(), score.tokensPerSecond());
                    rows.add(new Row(count, contender.name(), score));
                } catch (LoricaException.Internal e) {
                    log.printf("  %-10s failed: %s%n", contender.name(), e.getMessage()); // the others go on
                }
            }
        }
        return rows;
    }

    private static void requireAnswer(Outcome first, Contender contender, Path output) {
        if (!first.finished()) {
            throw new LoricaException.Internal(contender.name() + " answered the first request with status "
                    + first.status() + "; it printed:\n" + ServerProcess.end(output));
        }
    }

    private static int freePort() throws IOException {
        try (ServerSocket socket = new ServerSocket(0)) {
            return socket.getLocalPort();
        }
    }
}
