/** ALLoRA: no dropout and no scaling; the gradient of each output row is scaled by the size of that row's update. */
@NullMarked
package io.lorica.adapter.allora;

import org.jspecify.annotations.NullMarked;
