/** Whisper's encoder, the ears of models that hear. */
@NullMarked
package io.lorica.model.whisper;

import org.jspecify.annotations.NullMarked;
