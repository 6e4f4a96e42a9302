@NullMarked
package io.lorica.langchain4j;

import org.jspecify.annotations.NullMarked;
