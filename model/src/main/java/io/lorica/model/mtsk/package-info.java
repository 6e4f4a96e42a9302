/** Llama-MTSK: a language model that reads speech at several rates of compression. */
@NullMarked
package io.lorica.model.mtsk;

import org.jspecify.annotations.NullMarked;
