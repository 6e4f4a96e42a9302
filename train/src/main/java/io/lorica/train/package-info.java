/** Training: data sets, collation, losses, optimizers, schedules, the trainer, checkpoints, reports, evaluation. */
@NullMarked
package io.lorica.train;

import org.jspecify.annotations.NullMarked;
