package io.lorica.serve.engine;

/**
 * What an engine is doing and has done.
 *
 * @param waiting requests in the queue now
 * @param running answers being generated now
 * @param cachedTokens tokens whose keys and values are held now
 * @param cacheTokens how many may be
 * @param promptTokens read since the start
 * @param generatedTokens chosen since the start
 * @param steps forward passes since the start
 */
public record EngineStats(
        int waiting,
        int running,
        int cachedTokens,
        int cacheTokens,
        long promptTokens,
        long generatedTokens,
        long steps) {}
