/** RandLoRA: a sum of many random products that all sites share, of which only scalings are trained. */
@NullMarked
package io.lorica.adapter.randlora;

import org.jspecify.annotations.NullMarked;
