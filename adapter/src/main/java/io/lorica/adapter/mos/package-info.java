/** MoS: LoRA's factors put together from shards of a pool that all layers share. */
@NullMarked
package io.lorica.adapter.mos;

import org.jspecify.annotations.NullMarked;
