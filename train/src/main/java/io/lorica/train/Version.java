package io.lorica.train;

/** The version that runs are stamped with. */
final class Version {
    static final String LORICA = "0.1.0-SNAPSHOT";

    private Version() {}
}
