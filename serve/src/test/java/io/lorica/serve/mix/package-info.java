@NullMarked
package io.lorica.serve.mix;

import org.jspecify.annotations.NullMarked;
