/** Many adapters at once: which rows of a batch belong to which adapters, and the overlay that computes it. */
@NullMarked
package io.lorica.serve.mix;

import org.jspecify.annotations.NullMarked;
