/** LoRA-GA: LoRA that starts from singular vectors of the loss gradient. */
@NullMarked
package io.lorica.adapter.loraga;

import org.jspecify.annotations.NullMarked;
