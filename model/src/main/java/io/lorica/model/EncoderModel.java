package io.lorica.model;

/** A model that reads whole sequences in both directions and gives one vector per token. */
public interface EncoderModel extends Transformer {

    int hiddenSize();

    int vocabularySize();
}
