/** Methods side by side: each trained on the same data and seeds, and what came out as a table and a picture. */
@NullMarked
package io.lorica.train.compare;

import org.jspecify.annotations.NullMarked;
