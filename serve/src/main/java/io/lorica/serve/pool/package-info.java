/** One preallocated memory in pages of equal size, for keys and values and for adapters. */
@NullMarked
package io.lorica.serve.pool;

import org.jspecify.annotations.NullMarked;
