/** Llama-MTSK: LoRA at several rates of compression. */
@NullMarked
package io.lorica.adapter.mtsk;

import org.jspecify.annotations.NullMarked;
