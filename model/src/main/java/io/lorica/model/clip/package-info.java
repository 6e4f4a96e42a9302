/** CLIP: a text and an image tower whose features are compared by their cosine. */
@NullMarked
package io.lorica.model.clip;

import org.jspecify.annotations.NullMarked;
