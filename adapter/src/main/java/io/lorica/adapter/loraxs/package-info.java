/** LoRA-XS: a small trained matrix between frozen singular vectors of the weight. */
@NullMarked
package io.lorica.adapter.loraxs;

import org.jspecify.annotations.NullMarked;
