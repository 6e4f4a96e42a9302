package io.lorica.train.data;

import io.lorica.tensor.Hashing;

/** SHA-256 over the rows of a file as read: the identity of training data that an adapter records. */
public final class DataHash {
    private DataHash() {}

    /** Hexadecimal; equal to {@link DataSet#hash} of the same rows. */
    public static String of(Rows rows) {
        Hashing hashing = new Hashing();
        rows.forEach(row -> hashing.add(row.values().toString()));
        return hashing.hex();
    }
}
