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
 * @param cacheTokens tokens whose keys and values fit in at the same time; a request is admitted only when all of them
 *     fit until the end
 * @param maxQueue requests that may wait; further ones are refused
 * @param patience how long a request may wait for its turn before it is refused (early abort); zero for ever
 */
public record EngineOptions(int maxSequences, int stepTokens, int cacheTokens, int maxQueue, Duration patience) {
    public static final EngineOptions DEFAULT = new EngineOptions(32, 256, 32_768, 1024, Duration.ofSeconds(60));

    public EngineOptions {
        List<String> faults = new ArrayList<>();
        require(maxSequences >= 1, "max-sequences", maxSequences, "at least 1", faults);
        require(stepTokens >= maxSequences, "step-tokens", stepTokens, "at least max-sequences", faults);
        require(cacheTokens >= 1, "cache-tokens", cacheTokens, "at least 1", faults);
        require(maxQueue >= 1, "max-queue", maxQueue, "at least 1", faults);
        require(!patience.isNegative(), "patience", patience, "zero (no limit) or longer", faults);
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
