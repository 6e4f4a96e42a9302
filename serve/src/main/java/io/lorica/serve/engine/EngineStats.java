package io.lorica.serve.engine;

/**
 * What an engine is doing and has done.
 *
 * @param waiting requests in the queue now
 * @param running answers being generated now
 * @param cachedTokens tokens of running requests
 * @param cacheTokens size of the memory that these share with adapters
 * @param promptTokens read since the start
 * @param prefixTokens taken over from earlier requests that began alike, since the start
 * @param generatedTokens chosen since the start
 * @param steps forward passes since the start
 * @param preemptions running requests that went back to the line for want of pages since the start
 */
public record EngineStats(
        int waiting,
        int running,
        int cachedTokens,
        int cacheTokens,
        long promptTokens,
        long prefixTokens,
        long generatedTokens,
        long steps,
        long preemptions,
        Pages pages) {

    /**
     * Pages of the engine's memory by what they are used for; they add up to {@code total}.
     *
     * @param cache with keys and values
     * @param kept of these, used by no running request and kept for those that begin alike
     * @param adapters with adapters' weights
     * @param merged with copies of the base's weights into which the adapters of all requests are merged
     */
    public record Pages(int total, int free, int cache, int kept, int adapters, int merged) {}
}
