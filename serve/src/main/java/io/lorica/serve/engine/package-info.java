/** One thread that owns a model and generates for many requests at once. */
@NullMarked
package io.lorica.serve.engine;

import org.jspecify.annotations.NullMarked;
