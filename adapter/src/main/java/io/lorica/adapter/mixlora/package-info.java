/** MixLoRA: LoRA experts of the feed-forward block over shared frozen weights, and plain LoRA elsewhere. */
@NullMarked
package io.lorica.adapter.mixlora;

import org.jspecify.annotations.NullMarked;
