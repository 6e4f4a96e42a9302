/** A base and its adapters to ask from Java. */
@NullMarked
package io.lorica.serve;

import org.jspecify.annotations.NullMarked;
