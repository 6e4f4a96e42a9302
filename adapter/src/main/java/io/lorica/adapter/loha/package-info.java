/** LoHa: the update is a product, element by element, of two low-rank matrices. */
@NullMarked
package io.lorica.adapter.loha;

import org.jspecify.annotations.NullMarked;
