@NullMarked
package io.lorica.serve.store;

import org.jspecify.annotations.NullMarked;
