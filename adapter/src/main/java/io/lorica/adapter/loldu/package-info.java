/** LoLDU: a trained diagonal between frozen triangular factors of the weight. */
@NullMarked
package io.lorica.adapter.loldu;

import org.jspecify.annotations.NullMarked;
