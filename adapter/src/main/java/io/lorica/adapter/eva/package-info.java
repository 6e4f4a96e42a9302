/** EVA: LoRA that starts from the principal directions of activations. */
@NullMarked
package io.lorica.adapter.eva;

import org.jspecify.annotations.NullMarked;
