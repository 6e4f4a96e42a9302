/** LoRA-SB: a small trained matrix between frozen bases of the first update. */
@NullMarked
package io.lorica.adapter.lorasb;

import org.jspecify.annotations.NullMarked;
