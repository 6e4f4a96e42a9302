/** Block-LoRA: factors cut into blocks, one of which is shared. */
@NullMarked
package io.lorica.adapter.block;

import org.jspecify.annotations.NullMarked;
