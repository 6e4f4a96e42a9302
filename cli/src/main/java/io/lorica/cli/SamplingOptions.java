package io.lorica.cli;

import io.lorica.model.Sampling;
import java.util.List;
import picocli.CommandLine.Option;

/** How answers are drawn; names and meanings as in Hugging Face's generation settings. */
final class SamplingOptions {

    @Option(
            names = "--max-tokens",
            paramLabel = "N",
            defaultValue = "128",
            description = "Most tokens (default: ${DEFAULT-VALUE}).")
    int maxTokens;

    @Option(
            names = "--temperature",
            paramLabel = "T",
            defaultValue = "0",
            description = "0 takes the most likely token (default).")
    double temperature;

    @Option(
            names = "--top-k",
            paramLabel = "K",
            defaultValue = "0",
            description = "Only the K most likely tokens; 0 for all.")
    int topK;

    @Option(
            names = "--top-p",
            paramLabel = "P",
            defaultValue = "1",
            description = "Only the most likely tokens up to this probability.")
    double topP;

    @Option(
            names = "--min-p",
            paramLabel = "P",
            defaultValue = "0",
            description = "Only tokens at least this fraction as likely as the best.")
    double minP;

    @Option(
            names = "--repetition-penalty",
            paramLabel = "X",
            defaultValue = "1",
            description = "Above 1 avoids tokens that were used.")
    double repetitionPenalty;

    @Option(names = "--stop", paramLabel = "TEXT", description = "End before this text; may be given several times.")
    List<String> stop = List.of();

    @Option(names = "--seed", paramLabel = "N", defaultValue = "0", description = "Seed of the draws.")
    long seed;

    Sampling toSampling() {
        return new Sampling(temperature, topK, topP, minP, repetitionPenalty, maxTokens, stop, seed);
    }
}
