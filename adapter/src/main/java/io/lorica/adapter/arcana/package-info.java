/** Arcana: LoRA apart for the tokens of images and of language. */
@NullMarked
package io.lorica.adapter.arcana;

import org.jspecify.annotations.NullMarked;
