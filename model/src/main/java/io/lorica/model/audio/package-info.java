/** Sound: files, sampling rates, and the features that audio encoders read. */
@NullMarked
package io.lorica.model.audio;

import org.jspecify.annotations.NullMarked;
