/** LLaVA: a language model that reads the patches of images as if they were words. */
@NullMarked
package io.lorica.model.llava;

import org.jspecify.annotations.NullMarked;
