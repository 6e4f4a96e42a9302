/**
 * Operators that libtorch computes in many passes over memory, computed in one, with gradients written by hand.
 *
 * <p>The kernels are written with the Vector API for contiguous bfloat16 and float32 tensors on the CPU. Elsewhere, and
 * where the JVM was started without {@code --add-modules jdk.incubator.vector}, libtorch's operators compute the same.
 */
@NullMarked
package io.lorica.tensor.fused;

import org.jspecify.annotations.NullMarked;
