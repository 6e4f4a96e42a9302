/** A small encoder of films, in the place of AV-HuBERT. */
@NullMarked
package io.lorica.model.video;

import org.jspecify.annotations.NullMarked;
