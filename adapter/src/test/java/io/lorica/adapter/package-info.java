@NullMarked
package io.lorica.adapter;

import org.jspecify.annotations.NullMarked;
