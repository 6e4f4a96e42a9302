/** The command {@code lorica}: arguments in, results out, nothing else. */
@NullMarked
package io.lorica.cli;

import org.jspecify.annotations.NullMarked;
