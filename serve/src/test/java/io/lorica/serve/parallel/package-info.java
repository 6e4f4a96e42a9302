@NullMarked
package io.lorica.serve.parallel;

import org.jspecify.annotations.NullMarked;
