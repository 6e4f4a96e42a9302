@NullMarked
package io.lorica.serve.pool;

import org.jspecify.annotations.NullMarked;
