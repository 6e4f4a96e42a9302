/** What the methods that learn a product {@code B A} have in common: settings, factors, arithmetic. */
@NullMarked
package io.lorica.adapter.lowrank;

import org.jspecify.annotations.NullMarked;
