/** libtorch made pleasant: memory scopes, files of tensors, rare ops, seeds, and the errors every module speaks. */
@NullMarked
package io.lorica.tensor;

import org.jspecify.annotations.NullMarked;
