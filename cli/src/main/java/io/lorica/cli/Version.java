package io.lorica.cli;

import org.jspecify.annotations.Nullable;
import picocli.CommandLine.IVersionProvider;

/** The version as the build stamped it into the jar. */
final class Version implements IVersionProvider {

    static String number() {
        @Nullable String stamped = Version.class.getPackage().getImplementationVersion();
        return stamped == null ? "development" : stamped;
    }

    @Override
    public String[] getVersion() {
        return new String[] {
            "lorica " + number() + " (Java " + Runtime.version().feature() + ")"
        };
    }
}
