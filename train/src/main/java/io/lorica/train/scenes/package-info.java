/** Arcana's experiment at small scale: questions about drawn scenes and about scenes told in words. */
@NullMarked
package io.lorica.train.scenes;

import org.jspecify.annotations.NullMarked;
