/** LoRA-FA: A stays frozen, and the gradient of B is projected to the best update of the weight that A allows. */
@NullMarked
package io.lorica.adapter.lorafa;

import org.jspecify.annotations.NullMarked;
