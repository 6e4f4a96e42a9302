/** LoKr: the update is a Kronecker product of two small matrices. */
@NullMarked
package io.lorica.adapter.lokr;

import org.jspecify.annotations.NullMarked;
