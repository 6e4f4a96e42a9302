/** AdaLoRA: updates in the form of a singular value decomposition, whose ranks are pruned where they matter least. */
@NullMarked
package io.lorica.adapter.adalora;

import org.jspecify.annotations.NullMarked;
