@NullMarked
package io.lorica.serve.engine;

import org.jspecify.annotations.NullMarked;
