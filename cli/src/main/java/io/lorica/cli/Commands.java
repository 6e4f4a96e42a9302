package io.lorica.cli;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.io.PrintWriter;
import picocli.CommandLine;

/** The tree of commands, in the order in which help lists them. */
final class Commands {
    private Commands() {}

    static CommandLine all(Console console) {
        RootCommand root = new RootCommand(console);
        CommandLine line = new CommandLine(root);
        line.addSubcommand(new QuickstartCommand(console));
        line.addSubcommand(models(console));
        line.addSubcommand(new MethodsCommand(console));
        line.addSubcommand(new TrainCommand(console));
        line.addSubcommand(new CompareCommand(console));
        line.addSubcommand(new PretrainCommand(console));
        line.addSubcommand(new PretrainClipCommand(console));
        line.addSubcommand(new FewShotCommand(console));
        line.addSubcommand(new EvalCommand(console));
        line.addSubcommand(new GenerateCommand(console));
        line.addSubcommand(new ServeCommand(console));
        line.addSubcommand(registry(console));
        line.addSubcommand(new KeyCommand(console));
        line.addSubcommand(new LogitsCommand(console));
        line.addSubcommand(adapter(console));
        line.addSubcommand(new CommandLine(new AnalyzeCommand())
                .addSubcommand(new AnalyzeNormsCommand(console))
                .addSubcommand(new AnalyzeGradientCommand(console))
                .addSubcommand(new AnalyzeExpertsCommand(console)));
        line.addSubcommand(new CommandLine(new BenchCommand())
                .addSubcommand(new BenchFinetuneCommand(console))
                .addSubcommand(new BenchExpertsCommand(console))
                .addSubcommand(new BenchStartCommand(console))
                .addSubcommand(new BenchServeCommand(console))
                .addSubcommand(new BenchDecodeCommand(console))
                .addSubcommand(new BenchJobsCommand(console))
                .addSubcommand(new BenchSpeechCommand(console))
                .addSubcommand(new BenchScenesCommand(console))
                .addSubcommand(new BenchConflictCommand(console)));
        Errors errors = new Errors(console, root);
        line.setParameterExceptionHandler(errors::wrongUse).setExecutionExceptionHandler(errors::failed);
        line.setOut(new PrintWriter(console.out(), true, UTF_8)).setErr(new PrintWriter(console.err(), true, UTF_8));
        line.setUsageHelpAutoWidth(false).setUsageHelpWidth(110);
        line.setCaseInsensitiveEnumValuesAllowed(true);
        return line;
    }

    private static CommandLine models(Console console) {
        return new CommandLine(new ModelsCommand())
                .addSubcommand(new ModelsListCommand(console))
                .addSubcommand(new ModelsPullCommand(console))
                .addSubcommand(new ModelsInfoCommand(console))
                .addSubcommand(new ModelsExportCommand(console));
    }

    private static CommandLine registry(Console console) {
        return new CommandLine(new RegistryCommand())
                .addSubcommand(new RegistryAddCommand(console))
                .addSubcommand(new RegistryListCommand(console))
                .addSubcommand(new RegistryRemoveCommand(console));
    }

    private static CommandLine adapter(Console console) {
        return new CommandLine(new AdapterCommand())
                .addSubcommand(new AdapterInspectCommand(console))
                .addSubcommand(new AdapterVerifyCommand(console))
                .addSubcommand(new AdapterMergeCommand(console))
                .addSubcommand(new AdapterConvertCommand(console))
                .addSubcommand(new AdapterTruncateCommand(console))
                .addSubcommand(new AdapterQPissaCommand(console));
    }
}
