/** PiSSA: LoRA that starts from principal singular values and vectors. */
@NullMarked
package io.lorica.adapter.pissa;

import org.jspecify.annotations.NullMarked;
