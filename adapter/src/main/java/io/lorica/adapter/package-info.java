/** Adapters: the method interface, the PEFT file format, and one package per method. */
@NullMarked
package io.lorica.adapter;

import org.jspecify.annotations.NullMarked;
