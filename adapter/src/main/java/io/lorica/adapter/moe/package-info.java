/** Routers, experts and the balance between them: what all routed methods share. */
@NullMarked
package io.lorica.adapter.moe;

import org.jspecify.annotations.NullMarked;
