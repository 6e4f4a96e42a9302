package io.lorica.train.data;

/** A model that takes in nothing but text refuses rows with more. */
record TextOnly() implements Senses {

    @Override
    public Example example(Attached files, Encoded encoded) {
        if (!files.files(Sight.COLUMNS).isEmpty()) {
            throw files.bad("it has an image, but the model sees none (name a llava model, or leave it out)");
        }
        if (!files.files(Hearing.COLUMNS).isEmpty()) {
            throw files.bad(
                    "it has a recording, but the model hears and sees none (name a llama_mtsk model, or leave it"
                            + " out)");
        }
        return Example.ofTokens(encoded.tokens(), encoded.supervised());
    }

    @Override
    public boolean lost(Example whole, Example cut) {
        return false;
    }
}
