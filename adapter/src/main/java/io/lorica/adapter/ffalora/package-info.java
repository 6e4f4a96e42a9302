/** FFA-LoRA: the random A stays frozen, so that averages of B over clients are exact. */
@NullMarked
package io.lorica.adapter.ffalora;

import org.jspecify.annotations.NullMarked;
