/** What theory says of a model's attention: norms that allow almost linear time, and gradients computed in it. */
@NullMarked
package io.lorica.train.analyze;

import org.jspecify.annotations.NullMarked;
