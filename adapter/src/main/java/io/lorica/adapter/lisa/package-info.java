/** LISA: the weights themselves learn, embedding and head always and a few layers at a time. */
@NullMarked
package io.lorica.adapter.lisa;

import org.jspecify.annotations.NullMarked;
