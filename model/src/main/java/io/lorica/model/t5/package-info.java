/** T5, an encoder-decoder with relative positions. */
@NullMarked
package io.lorica.model.t5;

import org.jspecify.annotations.NullMarked;
