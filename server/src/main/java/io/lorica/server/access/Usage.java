package io.lorica.server.access;

/**
 * What a tenant has used since the server started. Work on answers that were cancelled or failed counts like any other.
 *
 * @param requests that were let in
 * @param refused for want of rate or budget
 * @param today tokens since midnight UTC
 */
public record Usage(long requests, long refused, long promptTokens, long answerTokens, long today) {}
