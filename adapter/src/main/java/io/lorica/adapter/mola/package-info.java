/** MoLA: routed LoRA experts at every site, more of them in some layers than in others. */
@NullMarked
package io.lorica.adapter.mola;

import org.jspecify.annotations.NullMarked;
