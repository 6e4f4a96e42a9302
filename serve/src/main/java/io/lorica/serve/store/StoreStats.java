package io.lorica.serve.store;

/**
 * What a store holds and has done.
 *
 * @param known adapters that can be asked for
 * @param loaded of these in memory now
 * @param bytes of native memory that they hold
 * @param budget how many they may
 * @param hits requests that found their adapter in memory
 * @param loads adapters read from disk
 * @param evictions adapters that left memory for others
 */
public record StoreStats(int known, int loaded, long bytes, long budget, long hits, long loads, long evictions) {}
