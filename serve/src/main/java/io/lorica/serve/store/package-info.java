/** The adapters a server has: where they lie, which are in memory, who uses them. */
@NullMarked
package io.lorica.serve.store;

import org.jspecify.annotations.NullMarked;
