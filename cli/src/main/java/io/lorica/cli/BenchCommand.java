package io.lorica.cli;

import picocli.CommandLine.Command;

/** {@code lorica bench}: side-by-side runs against other software. */
@Command(name = "bench", header = "Run the same job on Lorica and on other software, and print ratios.")
final class BenchCommand {}
