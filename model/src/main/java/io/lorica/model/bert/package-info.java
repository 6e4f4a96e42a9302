/** The encoders BERT and RoBERTa, by themselves and with a classification or regression head. */
@NullMarked
package io.lorica.model.bert;

import org.jspecify.annotations.NullMarked;
