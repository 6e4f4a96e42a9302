/** Which adapters there are, in a database that several servers share, and where their files lie. */
@NullMarked
package io.lorica.serve.registry;

import org.jspecify.annotations.NullMarked;
