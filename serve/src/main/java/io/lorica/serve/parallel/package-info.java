/** Tensor parallelism: one model and its adapters computed by several processes of one machine. */
@NullMarked
package io.lorica.serve.parallel;

import org.jspecify.annotations.NullMarked;
