package io.lorica.cli;

import picocli.CommandLine.Command;

/** {@code lorica analyze}: what numbers inside a model or an adapter tell. */
@Command(
        name = "analyze",
        header = "What is inside: norms of attention, gradients in almost linear time, distances of experts.",
        footer = {"", "Example: lorica analyze norms --model lorica-tiny --data rows.jsonl"})
final class AnalyzeCommand {}
