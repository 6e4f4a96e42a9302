/** Images: files, sets of them, and what image processors do before a model sees them. */
@NullMarked
package io.lorica.model.image;

import org.jspecify.annotations.NullMarked;
