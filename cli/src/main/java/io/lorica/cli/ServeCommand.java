package io.lorica.cli;

import io.lorica.model.Pretrained;
import io.lorica.serve.engine.EngineOptions;
import io.lorica.serve.engine.EngineOptions.Paging;
import io.lorica.serve.engine.EngineOptions.Scheduling;
import io.lorica.serve.parallel.TensorParallel;
import io.lorica.serve.registry.AdapterRegistry;
import io.lorica.serve.registry.Locations;
import io.lorica.serve.registry.RegistryLink;
import io.lorica.serve.store.AdapterStore;
import io.lorica.serve.store.Registrar;
import io.lorica.server.LoricaServer;
import io.lorica.server.ServerOptions;
import io.lorica.server.access.Keys;
import io.lorica.tensor.LoricaException;
import io.lorica.tensor.Memory;
import java.net.InetAddress;
import java.net.UnknownHostException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import java.util.concurrent.Callable;
import java.util.concurrent.CountDownLatch;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** {@code lorica serve}: one base and many adapters behind OpenAI's API, until the process is asked to stop. */
@Command(
        name = "serve",
        header = "Serve a base and its adapters over HTTP.",
        description =
                "Answers OpenAI's API (/v1/chat/completions, /v1/completions, /v1/models; /v1/embeddings where the base is an"
                        + " encoder). Clients name the base,"
                        + " an adapter, or a blend such as tone:0.7+law:0.5; see docs/serving.md.",
        footer = {"", "Example: lorica serve --model smollm2-135m-instruct --adapters adapters --port 8000"})
final class ServeCommand implements Callable<Integer> {
    /** How soon what others change in the registry is seen. */
    private static final Duration LOOK = Duration.ofSeconds(1);

    @Mixin
    @SuppressWarnings("NullAway.Init")
    ModelOptions base;

    @Option(
            names = "--adapters",
            paramLabel = "DIR",
            description = "Directory with one folder of PEFT's per adapter; a folder's name is the adapter's. With a"
                    + " registry it only says from where requests may add adapters.")
    @Nullable
    Path adapters;

    @Mixin
    @SuppressWarnings("NullAway.Init")
    RegistryOptions shared;

    @Option(
            names = "--adapter-memory",
            paramLabel = "SIZE",
            defaultValue = "1GiB",
            description = "Most memory for adapters (default: ${DEFAULT-VALUE}); those unused longest leave.")
    @SuppressWarnings("NullAway.Init")
    String adapterMemory;

    @Option(names = "--name", paramLabel = "NAME", description = "What clients call the base (default: REF).")
    @Nullable
    String name;

    @Option(
            names = "--host",
            paramLabel = "ADDRESS",
            defaultValue = "127.0.0.1",
            description = "Address to listen at (default: ${DEFAULT-VALUE}, this machine only).")
    @SuppressWarnings("NullAway.Init")
    String host;

    @Option(
            names = "--port",
            paramLabel = "N",
            defaultValue = "8000",
            description = "Port (default: ${DEFAULT-VALUE}); 0 for a free one.")
    int port;

    @Option(
            names = "--keys",
            paramLabel = "FILE",
            description = "API keys of tenants, with what each may use (docs/security.md); without, anybody may ask.")
    @Nullable
    Path keys;

    @Option(
            names = "--tensor-parallel-size",
            paramLabel = "N",
            defaultValue = "1",
            description = "Processes of this machine that compute together, each a part of every layer and adapter"
                    + " (default: ${DEFAULT-VALUE}); Llama-like bases, held dense.")
    int ranks;

    @Mixin
    @SuppressWarnings("NullAway.Init")
    EngineSettings load;

    private final Console console;

    ServeCommand(Console console) {
        this.console = console;
    }

    /** How much the server takes on. */
    static final class EngineSettings {

        @Option(
                names = "--max-sequences",
                paramLabel = "N",
                description = "Answers side by side (default: ${DEFAULT-VALUE}).")
        int maxSequences = EngineOptions.DEFAULT.maxSequences();

        @Option(
                names = "--step-tokens",
                paramLabel = "N",
                description = "Tokens of one pass (default: ${DEFAULT-VALUE}).")
        int stepTokens = EngineOptions.DEFAULT.stepTokens();

        @Option(
                names = "--cache-tokens",
                paramLabel = "N",
                description = "Tokens whose keys and values are held (default: ${DEFAULT-VALUE}).")
        int cacheTokens = EngineOptions.DEFAULT.cacheTokens();

        @Option(
                names = "--max-queue",
                paramLabel = "N",
                description = "Requests that may wait (default: ${DEFAULT-VALUE}).")
        int maxQueue = EngineOptions.DEFAULT.maxQueue();

        @Option(
                names = "--patience",
                paramLabel = "SECONDS",
                description = "A request that waits longer is refused (default: ${DEFAULT-VALUE}; 0 for ever).")
        int patience = (int) EngineOptions.DEFAULT.patience().toSeconds();

        @Option(
                names = "--overcommit",
                description = "Let requests in when what they have now fits, not all they may ever add.")
        boolean overcommit;

        @Option(
                names = "--no-prefixes",
                description = "Keep nothing of a request for later ones that begin alike (docs/security.md).")
        boolean noPrefixes;

        @Option(
                names = "--first-token-aim",
                paramLabel = "SECONDS",
                description =
                        "Refuse at once who cannot have a first token in time (default: ${DEFAULT-VALUE}, no aim).")
        int firstTokenAim;

        EngineOptions toEngine() {
            Paging paging = Paging.DEFAULT;
            Scheduling scheduling = Scheduling.DEFAULT;
            return new EngineOptions(maxSequences, stepTokens, cacheTokens, maxQueue, Duration.ofSeconds(patience))
                    .with(new Paging(paging.pageTokens(), overcommit, !noPrefixes, paging.mergeAfter()))
                    .with(new Scheduling(
                            scheduling.fair(),
                            scheduling.clusterAdapters(),
                            Duration.ofSeconds(firstTokenAim),
                            scheduling.prefetch()));
        }
    }

    private ServerOptions options() {
        ServerOptions options = ServerOptions.of(name == null ? base.model : name)
                .withAddress(host, port)
                .withEngine(load.toEngine());
        options = keys == null ? options : options.withKeys(Keys.read(keys));
        return adapters == null ? options : options.withAdapters(adapters);
    }

    private void warn() {
        try {
            boolean here = Arrays.stream(InetAddress.getAllByName(host)).allMatch(InetAddress::isLoopbackAddress);
            if (keys == null && !here) {
                console.note("anybody who reaches " + host + " may use this server; --keys asks for API keys");
            }
        } catch (UnknownHostException e) {
            throw new LoricaException.BadInput("--host is '" + host + "', which is no address of this machine", e);
        }
    }

    @Override
    public Integer call() throws InterruptedException {
        long budget = Memory.parse(adapterMemory);
        ServerOptions options = options();
        if (ranks < 1) {
            throw new LoricaException.BadInput("--tensor-parallel-size is " + ranks + ", but must be at least 1");
        }
        warn();
        base.useThreads();
        CountDownLatch asked = new CountDownLatch(1);
        try (Interrupt _ = new Interrupt(
                        asked::countDown, console, "finishing running requests …", "requests are still running");
                AdapterRegistry registry = shared.given() ? shared.open() : null;
                Locations locations = shared.locations();
                Pretrained model =
                        Session.pretrained(base.model, null, base.dtype("bfloat16"), base.format(), console);
                AdapterStore store = new AdapterStore(model.model(), budget);
                RegistryLink link = registry == null ? null : RegistryLink.start(registry, store, locations, LOOK)) {
            if (link == null && adapters != null) {
                store.addAll(adapters);
            }
            int known = store.names().size();
            Registrar registrar = link == null ? Registrar.of(store) : link;
            if (ranks == 1) {
                try (LoricaServer server = LoricaServer.start(model, store, registrar, options)) {
                    serve(server, options, known, asked);
                }
                return 0;
            }
            TensorParallel crew = TensorParallel.start(model, ranks, asked::countDown);
            try (LoricaServer server = LoricaServer.start(model, store, registrar, crew, options)) {
                serve(server, options, known, asked);
            }
            LoricaException lost = crew.lost();
            if (lost != null) {
                throw lost;
            }
        }
        return 0;
    }

    private void serve(LoricaServer server, ServerOptions options, int known, CountDownLatch asked)
            throws InterruptedException {
        console.print("serving %s and %d adapters at %s".formatted(options.name(), known, server.address()));
        asked.await();
    }
}
