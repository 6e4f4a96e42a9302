@NullMarked
package io.lorica.server.access;

import org.jspecify.annotations.NullMarked;
