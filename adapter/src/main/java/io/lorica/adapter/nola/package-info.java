/** NOLA: factors that are mixes of random matrices, of which only the coefficients are trained. */
@NullMarked
package io.lorica.adapter.nola;

import org.jspecify.annotations.NullMarked;
