/** Who may ask for what, and how much. */
@NullMarked
package io.lorica.server.access;

import org.jspecify.annotations.NullMarked;
