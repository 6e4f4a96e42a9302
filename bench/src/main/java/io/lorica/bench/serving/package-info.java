/** Servers of many adapters side by side, under the workload of the S-LoRA paper. */
@NullMarked
package io.lorica.bench.serving;

import org.jspecify.annotations.NullMarked;
