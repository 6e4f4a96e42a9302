/** DyLoRA: one training run gives an adapter at every rank, the components ordered by importance. */
@NullMarked
package io.lorica.adapter.dylora;

import org.jspecify.annotations.NullMarked;
