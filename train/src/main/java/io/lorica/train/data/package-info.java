/** Data sets: rows of JSONL, CSV and Parquet files, their meaning, and token examples made of them. */
@NullMarked
package io.lorica.train.data;

import org.jspecify.annotations.NullMarked;
