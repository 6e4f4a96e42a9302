/** The GPT-2 architecture. */
@NullMarked
package io.lorica.model.gpt2;

import org.jspecify.annotations.NullMarked;
