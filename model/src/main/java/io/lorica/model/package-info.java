/** Frozen base models read from public formats, as trees of named sites; tokenizers, generation, and the model store. */
@NullMarked
package io.lorica.model;

import org.jspecify.annotations.NullMarked;
