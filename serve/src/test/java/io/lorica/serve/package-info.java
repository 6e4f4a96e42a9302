@NullMarked
package io.lorica.serve;

import org.jspecify.annotations.NullMarked;
