package io.lorica.adapter;

import org.bytedeco.pytorch.Tensor;

/**
 * What a site adapter adds, where that is a plain low-rank product: {@code y = W x + b + scaling B A x}, at any input.
 * Whoever runs many adapters at once can group such products.
 *
 * @param a {@code [r, in]} float32
 * @param b {@code [out, r]} float32
 */
public record Factors(Tensor a, Tensor b, double scaling) {}
