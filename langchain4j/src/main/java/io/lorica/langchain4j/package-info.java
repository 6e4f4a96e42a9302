/** LangChain4j's models on a base and its adapters in this process. */
@NullMarked
package io.lorica.langchain4j;

import org.jspecify.annotations.NullMarked;
