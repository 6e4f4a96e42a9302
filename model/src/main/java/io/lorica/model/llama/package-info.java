/** The Llama architecture: Llama 2 and 3, SmolLM2, Mistral, Qwen2. */
@NullMarked
package io.lorica.model.llama;

import org.jspecify.annotations.NullMarked;
