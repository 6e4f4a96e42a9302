/**
 * What methods have in common: settings, factors, decompositions and arithmetic of those that learn a product {@code B A},
 * and {@link io.lorica.adapter.lowrank.WeightChange} for those whose change of weight is put together otherwise.
 */
@NullMarked
package io.lorica.adapter.lowrank;

import org.jspecify.annotations.NullMarked;
