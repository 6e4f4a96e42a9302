/** LLaVA-MoLE: one routed LoRA expert for each token in the language model's feed-forward blocks. */
@NullMarked
package io.lorica.adapter.llavamole;

import org.jspecify.annotations.NullMarked;
