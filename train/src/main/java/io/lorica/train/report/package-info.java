/** What a run leaves behind: metrics, picture, model card, tables. */
@NullMarked
package io.lorica.train.report;

import org.jspecify.annotations.NullMarked;
