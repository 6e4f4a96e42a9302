package io.lorica.train;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.lorica.adapter.Adapter;
import io.lorica.adapter.AdapterConfig;
import io.lorica.adapter.AdapterStack;
import io.lorica.adapter.Fingerprint;
import io.lorica.adapter.LoadOptions;
import io.lorica.adapter.Provenance;
import io.lorica.adapter.SelfTest;
import io.lorica.adapter.TrainingRule;
import io.lorica.model.ModelStore;
import io.lorica.model.Pretrained;
import io.lorica.model.Transformer;
import io.lorica.tensor.AtomicFile;
import io.lorica.tensor.LoricaException;
import io.lorica.tensor.Seed;
import io.lorica.tensor.Threads;
import io.lorica.train.analyze.RoutingReport;
import io.lorica.train.data.DataFormat;
import io.lorica.train.data.DataSet;
import io.lorica.train.data.Example;
import io.lorica.train.data.ExampleReader;
import io.lorica.train.data.Labels;
import io.lorica.train.data.ReadOptions;
import io.lorica.train.data.Rows;
import io.lorica.train.data.Senses;
import io.lorica.train.data.Template;
import io.lorica.train.eval.LabelScores;
import io.lorica.train.report.LossPlot;
import io.lorica.train.report.MetricsLog;
import io.lorica.train.report.ModelCard;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.SequencedMap;
import org.jspecify.annotations.Nullable;

/**
 * The main job: an adapter on a frozen model, from a data file to a run directory.
 *
 * <p>A run directory holds the adapter as PEFT reads it, {@code lorica.json} (where it comes from),
 * {@code selftest.safetensors} (what it computed when training ended), {@code run.json}, {@code metrics.jsonl},
 * {@code loss.png}, {@code README.md} and {@code checkpoints/}.
 */
public final class FineTune implements AutoCloseable {
    private static final String NAME = "default";
    private static final int ROUTED_EXAMPLES = 64;
    private static final ObjectMapper JSON = new ObjectMapper();

    /** Which rows are held out does not depend on the run's seed, so that runs with other seeds compare. */
    private static final Seed SPLIT = new Seed(0);

    private final Spec spec;
    private final Task task;
    private final Pretrained base;
    private final boolean ownsBase;
    private final DataSet data;
    private final DataSet.Split split;
    private final AdapterStack stack;
    private final Adapter adapter;
    private final AdapterTrainee trainee;
    private final Reporter reporter;
    private final Rehearsal.Loaded loaded;
    private final double secondsToStart;
    private TrainConfig training;
    private volatile Trainer trainer;

    /**
     * What to do.
     *
     * @param model reference of the base
     * @param data training rows
     * @param heldOutData rows of their own for the held-out loss, or null to take {@code heldOut} examples out of the
     *     training rows
     * @param heldOut examples to hold out; 0 for none, -1 for a tenth, at most 100
     * @param method as {@code lorica methods} lists it
     * @param settings the method's own keys
     * @param start an adapter to go on from, whose method and settings are kept; null for a fresh one
     * @param columns names of data columns; empty to go by the usual names
     * @param out the run directory; null for a job that is checked or planned but never run
     */
    public record Spec(
            String model,
            Path data,
            @Nullable Path heldOutData,
            int heldOut,
            String method,
            ObjectNode settings,
            @Nullable Path start,
            TrainConfig training,
            Template template,
            Map<String, String> columns,
            @Nullable Path out,
            boolean resume) {

        /** The same job, from its newest checkpoint or from its start. */
        public Spec withResume(boolean whether) {
            return new Spec(
                    model,
                    data,
                    heldOutData,
                    heldOut,
                    method,
                    settings,
                    start,
                    training,
                    template,
                    columns,
                    out,
                    whether);
        }
    }

    private FineTune(
            Spec spec,
            Task task,
            Pretrained base,
            boolean ownsBase,
            DataSet data,
            DataSet.Split split,
            AdapterStack stack,
            Adapter adapter,
            Rehearsal.Loaded loaded,
            double secondsToStart,
            TrainListener listener) {
        this.spec = spec;
        this.task = task;
        this.base = base;
        this.ownsBase = ownsBase;
        this.data = data;
        this.split = split;
        this.stack = stack;
        this.adapter = adapter;
        this.reporter = new Reporter(listener);
        Seed seed = new Seed(spec.training().seed());
        trainee = new AdapterTrainee(task.model(base), adapter, seed.of("rule"));
        this.loaded = loaded;
        this.secondsToStart = secondsToStart;
        training = spec.training();
        trainer = new Trainer(trainee, training, reporter);
    }

    /**
     * Checks everything that can be checked without training and loads what is needed: settings first, then the data,
     * then the model.
     *
     * @throws LoricaException for the first thing that cannot work
     */
    public static FineTune prepare(Spec spec, ModelStore store, TrainListener listener) {
        Checked checked = check(spec);
        int _ = Threads.get(); // loads libtorch, so that its own tables do not count as weights
        long start = NativeHeap.mark();
        Pretrained base = checked.task().open(store, spec);
        try {
            return prepareOn(base, true, spec, checked, start, listener);
        } catch (RuntimeException e) {
            base.close();
            throw e;
        }
    }

    /** What is known of a job before its model is opened. */
    record Checked(AdapterConfig config, Task task) {}

    /** Checks all that needs no model. */
    static Checked check(Spec spec) {
        Path from = spec.start();
        AdapterConfig config = (from == null
                        ? AdapterConfig.of(spec.method(), spec.settings())
                        : AdapterConfig.read(from))
                .withBaseModel(spec.model());
        requireFile(spec.data());
        if (spec.heldOutData() != null) {
            requireFile(spec.heldOutData());
        }
        requireFreeDirectory(spec);
        if (spec.training().threads() > 0) {
            Threads.set(spec.training().threads());
        }
        return new Checked(config, Task.of(spec, config.taskType()));
    }

    /**
     * @param own whether the base is closed with the job
     * @param start mark of the heap before the base was opened
     */
    static FineTune prepareOn(
            Pretrained base, boolean own, Spec spec, Checked checked, long start, TrainListener listener) {
        Path from = spec.start();
        Task task = checked.task();
        long weights = NativeHeap.mark() - start;
        Transformer model = task.model(base);
        int maxLength = Math.min(spec.training().maxLength(), model.contextLength());
        ReadOptions options = new ReadOptions(maxLength, spec.template(), spec.columns());
        Senses senses = Senses.of(base);
        Rowset rows = Rowset.read(spec, task, new ExampleReader(base.tokenizer(), senses, options));
        AdapterStack stack = new AdapterStack(base.model());
        long before = NativeHeap.mark();
        long began = System.nanoTime();
        Adapter adapter = from != null
                ? Adapter.load(model, from, LoadOptions.STRICT.withTraining())
                : Adapter.create(
                        model,
                        checked.config().withTaskType(task.type()),
                        new DataCalibration(model, rows.split.train(), listener),
                        new Seed(spec.training().seed()).of("init"));
        stack.add(NAME, adapter).activate(NAME);
        Senses adapted = Senses.of(base, adapter);
        if (!adapted.equals(senses)) { // an image has more tokens, or a recording is read at other rates
            rows = Rowset.read(spec, task, new ExampleReader(base.tokenizer(), adapted, options));
        }
        double seconds = (System.nanoTime() - began) / 1e9;
        Rehearsal.Loaded loaded = new Rehearsal.Loaded(start, weights, NativeHeap.mark() - before, base.path());
        return new FineTune(spec, task, base, own, rows.data, rows.split, stack, adapter, loaded, seconds, listener);
    }

    /** The training file, read and divided. */
    private record Rowset(DataSet data, DataSet.Split split) {
        static Rowset read(Spec spec, Task task, ExampleReader reader) {
            DataSet data = reader.read(Rows.of(spec.data()), task.labels());
            requireEnd(data, spec);
            DataSet.Split split = spec.heldOutData() != null
                    ? new DataSet.Split(data.examples(), task.heldOut(reader, spec.heldOutData()))
                    : data.split(FineTune.heldOut(spec, data), SPLIT);
            return new Rowset(data, split);
        }
    }

    private static int heldOut(Spec spec, DataSet data) {
        return spec.heldOut() >= 0
                ? spec.heldOut()
                : Math.min(100, data.examples().size() / 10);
    }

    private static void requireFile(Path file) {
        if (!Files.isRegularFile(file)) {
            throw new LoricaException.NotFound("there is no data file " + file);
        }
    }

    private static void requireFreeDirectory(Spec spec) {
        if (spec.out() != null && !spec.resume() && Files.exists(spec.out().resolve("run.json"))) {
            throw new LoricaException.BadInput(
                    spec.out() + " already holds a run; choose another --out, or go on with" + " --resume");
        }
    }

    /** Completions without an end token teach the model never to stop. */
    private static void requireEnd(DataSet data, Spec spec) {
        boolean completions = switch (data.format()) {
            case DataFormat.Chat _, DataFormat.PromptCompletion _, DataFormat.Alpaca _, DataFormat.QuestionAnswer _ ->
                true;
            case DataFormat.Text _, DataFormat.Classification _ -> false;
        };
        long whole = data.counts().examples() - data.counts().truncated();
        if (completions && whole > 0 && data.counts().withEnd() == 0) {
            throw new LoricaException.BadInput(spec.data() + ": no completion ends with one of the model's end tokens,"
                    + " so the model would learn never to stop; use the model's chat template (template: chat), or end"
                    + " each completion with its end token");
        }
    }

    /** Seconds that making the adapter took, passes over data and decompositions included. */
    public double secondsToStart() {
        return secondsToStart;
    }

    /** Whether a run of that directory left a checkpoint to go on from. */
    public static boolean resumable(Path out) {
        return Trainer.resumedStep(out).isPresent();
    }

    public Pretrained base() {
        return base;
    }

    public AdapterStack stack() {
        return stack;
    }

    public Adapter adapter() {
        return adapter;
    }

    public DataSet data() {
        return data;
    }

    public DataSet.Split split() {
        return split;
    }

    /**
     * Whether the first step of the data gives one loss and gradient however it is split; trains nothing. Where one pass
     * holds fewer than 8 examples, 8 of the step's are enough to show it.
     */
    public TrainingCheck verify() {
        int batch = training.batchSize();
        long step = (long) batch * training.accumulation();
        List<Example> first = split.train().stream()
                .filter(example -> example.targets() > 0)
                .limit(Math.min(step, Math.max(batch, 8)))
                .toList();
        return TrainingCheck.run(trainee, first);
    }

    /**
     * The resident memory that training and evaluation will take, found by doing their widest batch once without any
     * effect.
     *
     * @throws LoricaException.Unsupported where the system does not tell (only Linux with glibc 2.33 or newer does)
     */
    public MemoryPlan plan() {
        return plan(training);
    }

    private MemoryPlan plan(TrainConfig config) {
        return new Rehearsal(trainee, config, split, loaded).run();
    }

    /**
     * Holds the run to a budget of resident memory: smaller micro-batches with more accumulation, then gradient
     * checkpointing; the loss of a step stays the same.
     *
     * @return the plan the run will follow
     * @throws LoricaException.BadInput with the smallest plan, where the budget is too small for it
     */
    public MemoryPlan hold(long bytes) {
        MemoryBudget.Fit fit = new MemoryBudget(bytes, this::plan).fit(training);
        NativeHeap.trim();
        training = fit.config();
        trainer = new Trainer(trainee, training, reporter);
        return fit.plan();
    }

    /** Ends the run after the step under way, with a checkpoint. Safe from any thread. */
    public void stop() {
        trainer.stop();
    }

    /** Trains and writes the run directory. */
    public Trainer.Outcome run() {
        try (Session session = open()) {
            Trainer.Loop loop = session.loop();
            loop.start();
            while (loop.goesOn()) {
                loop.step();
            }
            return session.end();
        }
    }

    /** Opens the run directory, for a run that is driven from outside. */
    Session open() {
        return new Session();
    }

    /** Lets this job's adapter act on the base, alone. */
    void activate() {
        stack.activate(NAME);
    }

    /** A run with its directory open. The adapter must act alone whenever its loop is called, and at the end. */
    final class Session implements AutoCloseable {
        private final Path out = Objects.requireNonNull(spec.out(), "a job without a run directory cannot run");
        private final Path metrics = out.resolve("metrics.jsonl");
        private final Trainer.Loop loop;

        private Session() {
            long from = spec.resume() ? Trainer.resumedStep(out).orElse(0) : 0;
            reporter.log = spec.resume() ? MetricsLog.resume(metrics, from) : MetricsLog.create(metrics);
            try {
                loop = trainer.loop(split.train(), split.heldOut(), new Trainer.Run(out, identity(), spec.resume()));
            } catch (RuntimeException e) {
                closeLog();
                throw e;
            }
        }

        Trainer.Loop loop() {
            return loop;
        }

        /** Writes the run directory, or where the run was stopped its checkpoint. */
        Trainer.Outcome end() {
            Trainer.Outcome outcome = loop.end();
            if (!outcome.interrupted()) {
                write(outcome, out);
                // not after Ctrl-C: the picture needs parts of the JVM that a process going down refuses
                new LossPlot("loss of " + spec.method() + " on " + spec.model(), false)
                        .write(out.resolve("loss.png"), MetricsLog.read(metrics));
            }
            return outcome;
        }

        private void closeLog() {
            if (reporter.log != null) {
                reporter.log.close();
            }
        }

        @Override
        public void close() {
            loop.close();
            closeLog();
        }
    }

    /** What a checkpoint must share with the run that continues it. */
    private Map<String, String> identity() {
        Map<String, String> identity = new LinkedHashMap<>();
        identity.put("model", Fingerprint.of(base.model()).sha256());
        identity.put("data", data.hash());
        identity.put("method", spec.method() + " " + adapter.config().toJson());
        identity.put("training", training.toString());
        return identity;
    }

    private void write(Trainer.Outcome outcome, Path out) {
        adapter.save(out);
        Provenance provenance = provenance();
        provenance.write(out);
        SelfTest.record(stack, NAME, prompts()).write(out);
        RoutingReport routing = routing(out);
        SequencedMap<String, String> results = results(outcome, routing);
        SequencedMap<String, String> settings = settings();
        ObjectNode run = JSON.createObjectNode()
                .put("model", spec.model())
                .put("data", spec.data().toString())
                .put("data_sha256", data.hash())
                .put("method", spec.method())
                .put("seed", training.seed())
                .put("java", Runtime.version().toString());
        run.set("provenance", JSON.valueToTree(provenance));
        run.set("settings", JSON.valueToTree(settings));
        run.set("results", JSON.valueToTree(results));
        AtomicFile.writeString(out.resolve("run.json"), run.toPrettyString() + "\n");
        new ModelCard(
                        title(out),
                        spec.model(),
                        provenance.baseFingerprint().sha256(),
                        String.valueOf(spec.data().getFileName()),
                        data.hash(),
                        settings,
                        results)
                .write(out.resolve("README.md"));
    }

    /** How a routed adapter shares a few held-out examples among its experts; written where there are routers. */
    private RoutingReport routing(Path out) {
        TrainingRule rule = trainee.rule();
        if (rule.passLoss(1, new int[0]) == null) {
            return RoutingReport.NONE;
        }
        List<Example> source = split.heldOut().isEmpty() ? split.train() : split.heldOut();
        RoutingReport report = RoutingReport.of(
                task.model(base),
                source.stream().limit(ROUTED_EXAMPLES).toList(),
                length -> Objects.requireNonNull(rule.passLoss(1, new int[] {length})));
        if (!report.uses().isEmpty()) {
            report.write(out);
        }
        return report;
    }

    private static String title(Path out) {
        return String.valueOf(out.toAbsolutePath().normalize().getFileName());
    }

    private Provenance provenance() {
        Provenance.Text text = Provenance.Text.of(base.tokenizer());
        return new Provenance(
                Version.LORICA,
                spec.method(),
                spec.model(),
                Fingerprint.of(base.model()),
                data.hash(),
                training.seed(),
                text.chatTemplateSha256(),
                text.eosTokenIds(),
                text.padTokenId(),
                task.labels().map(Labels::names).orElse(null));
    }

    /** The first tokens of a few examples. */
    private List<long[]> prompts() {
        List<Example> source = split.heldOut().isEmpty() ? split.train() : split.heldOut();
        return source.stream()
                .limit(4)
                .map(example -> java.util.Arrays.copyOf(example.tokens(), Math.min(64, example.length())))
                .toList();
    }

    private SequencedMap<String, String> results(Trainer.Outcome outcome, RoutingReport routing) {
        SequencedMap<String, String> results = new LinkedHashMap<>();
        results.put("optimizer steps", Long.toString(outcome.steps()));
        if (!Double.isNaN(outcome.lossBefore())) {
            results.put("held-out loss before", number(outcome.lossBefore()));
            results.put("held-out loss after", number(outcome.lossAfter()));
        }
        task.labels()
                .filter(_ -> !split.heldOut().isEmpty())
                .ifPresent(labels -> LabelScores.of("held-out", base.classifier(), split.heldOut(), labels)
                        .values()
                        .forEach((name, interval) -> results.put("held-out " + name, number(interval.value()))));
        if (!routing.uses().isEmpty()) {
            results.put("evenness of routing", number(routing.evenness()));
        }
        results.put("last training loss", number(outcome.lastTrainLoss()));
        results.put("trained parameters", Long.toString(adapter.parameterCount()));
        results.put("seconds", String.format(Locale.ROOT, "%.1f", outcome.seconds()));
        results.put("tokens per second", String.format(Locale.ROOT, "%.0f", outcome.tokens() / outcome.seconds()));
        return results;
    }

    private SequencedMap<String, String> settings() {
        SequencedMap<String, String> settings = new LinkedHashMap<>();
        settings.put("method", spec.method());
        spec.settings()
                .properties()
                .forEach(entry -> settings.put(entry.getKey(), entry.getValue().toString()));
        settings.putAll(training.toMap());
        return settings;
    }

    private static String number(double value) {
        return String.format(Locale.ROOT, "%.4f", value);
    }

    @Override
    public void close() {
        stack.close();
        if (ownsBase) {
            base.close();
        }
    }

    /** Writes every event to the metrics log and hands it on. */
    private static final class Reporter implements TrainListener {
        private final TrainListener next;
        private @Nullable MetricsLog log;

        Reporter(TrainListener next) {
            this.next = next;
        }

        @Override
        public void started(long totalSteps, long firstStep) {
            next.started(totalSteps, firstStep);
        }

        @Override
        public void step(Step step) {
            if (log != null) {
                log.write(
                        step.step(),
                        Map.of(
                                "train_loss", step.loss(),
                                "learning_rate", step.learningRate(),
                                "grad_norm", step.gradientNorm(),
                                "tokens", step.tokens(),
                                "targets", step.targets(),
                                "tokens_per_second", step.tokens() / step.seconds()));
            }
            next.step(step);
        }

        @Override
        public void evaluated(long step, double loss) {
            if (log != null) {
                log.write(step, Map.of("eval_loss", loss));
            }
            next.evaluated(step, loss);
        }

        @Override
        public void saved(Path checkpoint) {
            next.saved(checkpoint);
        }
    }
}
