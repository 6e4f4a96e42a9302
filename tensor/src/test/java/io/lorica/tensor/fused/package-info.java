@NullMarked
package io.lorica.tensor.fused;

import org.jspecify.annotations.NullMarked;
