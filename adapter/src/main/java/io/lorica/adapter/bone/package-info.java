/** Bone and its later form MiSS: blocks of zeros that are shared along the input. */
@NullMarked
package io.lorica.adapter.bone;

import org.jspecify.annotations.NullMarked;
