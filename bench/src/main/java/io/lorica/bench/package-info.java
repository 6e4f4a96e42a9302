/** Measurements: JMH for hot paths, and side-by-side runs against other software. */
@NullMarked
package io.lorica.bench;

import org.jspecify.annotations.NullMarked;
