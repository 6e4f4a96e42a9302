/** Low-rank adaptation and its variants that PEFT saves as {@code LORA}: LoRA, rsLoRA, DoRA, OLoRA. */
@NullMarked
package io.lorica.adapter.lora;

import org.jspecify.annotations.NullMarked;
