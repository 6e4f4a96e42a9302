/** Llama-MTSK at small scale: digits that are spoken and shown. */
@NullMarked
package io.lorica.train.speech;

import org.jspecify.annotations.NullMarked;
