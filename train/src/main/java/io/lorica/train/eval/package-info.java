/** Evaluation: perplexity, exact match, multiple choice by log-likelihood, classification. */
@NullMarked
package io.lorica.train.eval;

import org.jspecify.annotations.NullMarked;
