package io.lorica.cli;

import picocli.CommandLine.Command;

/** {@code lorica analyze}: what theory says of a model's attention. */
@Command(
        name = "analyze",
        header = "What theory says of a model's attention: norms, and gradients in almost linear time.",
        footer = {"", "Example: lorica analyze norms --model lorica-tiny --data rows.jsonl"})
final class AnalyzeCommand {}
