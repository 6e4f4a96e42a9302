/** DiffoRA: a matrix, learned by gradient, says which modules get an adapter at all. */
@NullMarked
package io.lorica.adapter.diffora;

import org.jspecify.annotations.NullMarked;
