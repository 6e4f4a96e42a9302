package io.lorica.model.llama;

import io.lorica.tensor.LoricaException;
import java.nio.ByteBuffer;
import java.nio.file.Path;

/** Sizes at the head of a llama2.c model file. */
record Llama2cHeader(
        int dim, int hidden, int layers, int heads, int keyHeads, int vocabulary, int context, boolean tied) {

    /** No real model comes near; products of sizes below it stay far from overflow. */
    private static final int LIMIT = 1 << 20;

    static Llama2cHeader parse(ByteBuffer bytes, Path path) {
        int dim = bytes.getInt();
        int hidden = bytes.getInt();
        int layers = bytes.getInt();
        int heads = bytes.getInt();
        int keyHeads = bytes.getInt();
        int vocabulary = bytes.getInt();
        int context = bytes.getInt();
        Llama2cHeader header =
                new Llama2cHeader(dim, hidden, layers, heads, keyHeads, Math.abs(vocabulary), context, vocabulary > 0);
        if (!header.isPossible()) {
            throw new LoricaException.BadInput(path + " does not begin with the sizes of a llama2.c model: " + header);
        }
        return header;
    }

    private boolean isPossible() {
        for (int size : new int[] {dim, hidden, layers, heads, keyHeads, vocabulary, context}) {
            if (size < 1 || size > LIMIT) {
                return false;
            }
        }
        return dim % heads == 0 && heads % keyHeads == 0 && headDim() % 2 == 0 && layers <= 1024;
    }

    int headDim() {
        return dim / heads;
    }
}
