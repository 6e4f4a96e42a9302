@NullMarked
package io.lorica.bench.serving;

import org.jspecify.annotations.NullMarked;
