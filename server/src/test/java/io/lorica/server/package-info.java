@NullMarked
package io.lorica.server;

import org.jspecify.annotations.NullMarked;
