package io.lorica.serve.engine;

import io.lorica.tensor.LoricaException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;

/**
 * How much an engine takes on.
 *
 * @param maxSequences answers generated side by side, at least 1
 * @param stepTokens most tokens of one forward pass; longer prompts are cut into pieces, so that answers already running
 *     go on meanwhile. At least {@code maxSequences}
 * @param cacheTokens size of the memory that keys and values and the adapters in use share, in tokens; it is taken once
 * @param maxQueue requests that may wait; further ones are refused
 * @param patience how long a request may wait for its turn before it is refused; zero for ever
 */
public record EngineOptions(
        int maxSequences,
        int stepTokens,
        int cacheTokens,
        int maxQueue,
        Duration patience,
        Paging paging,
        Scheduling scheduling) {
    public static final EngineOptions DEFAULT = new EngineOptions(32, 256, 32_768, 1024, Duration.ofSeconds(60));

    /**
     * How memory is shared out.
     *
     * @param pageTokens tokens of a page, more where an adapter's widest rank needs it
     * @param overcommit whether requests are admitted when what they have now fits, not all that they may ever add; when
     *     memory runs out, the latest of them goes back to the front of the line and is computed again later
     * @param prefixes whether keys and values stay when their request has ended, as long as nobody needs the pages, for
     *     requests that begin with the same tokens and adapters
     * @param mergeAfter passes after which the adapters are merged into a copy of the weights, as far as pages are free,
     *     when all requests have the same ones; 0 for never
     */
    public record Paging(int pageTokens, boolean overcommit, boolean prefixes, int mergeAfter) {
        public static final Paging DEFAULT = new Paging(16, false, true, 256);
    }

    /**
     * Who comes next.
     *
     * @param fair whether tenants are served in turn, by tokens; otherwise requests in order of arrival
     * @param clusterAdapters from so many adapters in use on, requests for these go before others; 0 for never
     * @param firstTokenAim how soon the first token should come (early abort): who can no longer have it in time is refused,
     *     and under pressure the newest go first; zero for no aim
     * @param prefetch whether adapters of waiting requests are copied into free pages
     */
    public record Scheduling(boolean fair, int clusterAdapters, Duration firstTokenAim, boolean prefetch) {
        public static final Scheduling DEFAULT = new Scheduling(true, 0, Duration.ZERO, true);
    }

    public EngineOptions(int maxSequences, int stepTokens, int cacheTokens, int maxQueue, Duration patience) {
        this(maxSequences, stepTokens, cacheTokens, maxQueue, patience, Paging.DEFAULT, Scheduling.DEFAULT);
    }

    public EngineOptions with(Paging value) {
        return new EngineOptions(maxSequences, stepTokens, cacheTokens, maxQueue, patience, value, scheduling);
    }

    public EngineOptions with(Scheduling value) {
        return new EngineOptions(maxSequences, stepTokens, cacheTokens, maxQueue, patience, paging, value);
    }

    public EngineOptions {
        List<String> faults = new ArrayList<>();
        require(paging.pageTokens() >= 1, "page-tokens", paging.pageTokens(), "at least 1", faults);
        require(maxSequences >= 1, "max-sequences", maxSequences, "at least 1", faults);
        require(stepTokens >= maxSequences, "step-tokens", stepTokens, "at least max-sequences", faults);
        require(cacheTokens >= 1, "cache-tokens", cacheTokens, "at least 1", faults);
        require(maxQueue >= 1, "max-queue", maxQueue, "at least 1", faults);
        require(!patience.isNegative(), "patience", patience, "zero (no limit) or longer", faults);
        require(
                scheduling.clusterAdapters() >= 0,
                "cluster-adapters",
                scheduling.clusterAdapters(),
                "0 or more",
                faults);
        Duration aim = scheduling.firstTokenAim();
        require(!aim.isNegative(), "first-token-aim", aim, "zero (no aim) or longer", faults);
        if (!faults.isEmpty()) {
            throw new LoricaException.BadInput(String.join("\n", faults));
        }
    }

    private static void require(boolean holds, String key, Object value, String expected, List<String> faults) {
        if (!holds) {
            faults.add("engine: '" + key + "' is " + value + ", but must be " + expected);
        }
    }
}
