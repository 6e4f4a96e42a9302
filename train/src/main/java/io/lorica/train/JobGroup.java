package io.lorica.train;

import io.lorica.model.ModelStore;
import io.lorica.model.SpeechModel;
import io.lorica.model.WeightFormat;
import io.lorica.tensor.LoricaException;
import io.lorica.tensor.Threads;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Objects;
import java.util.SequencedMap;
import java.util.Set;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.function.Function;
import java.util.function.Supplier;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * Several fine-tuning jobs on one frozen base in one process (m-LoRA, Ye et al., 2023): one copy of the base, and its
 * products computed once for the rows of all jobs that fit into a pass. Each job has its own adapter, data, schedule,
 * optimizer, checkpoints and run directory, and its losses and gradients are those it has alone, up to the order in which
 * products of more rows are summed.
 *
 * <p>The jobs are dealt out to {@link Sharing#lanes lanes}, each with a thread and its part of the threads of operators. Those
 * of one lane take a step together, each its own: its micro-batches go into passes with those of the others. Lanes know nothing
 * of each other. On a few cores more lanes are faster, since two threads seldom share one operator well; where operators
 * have many rows or weights are expensive to unpack, a lane's wide passes are.
 *
 * <p>A job that fails is left as it was at its last checkpoint, and the others go on.
 */
public final class JobGroup implements AutoCloseable {
    /** Rows that a frozen product likes to have together; more gains little and takes memory. */
    public static final int PASS_TOKENS = 1024;

    private final List<Job> jobs;
    private final List<JobLane> lanes = new ArrayList<>();

    /**
     * A job of the group.
     *
     * @param name unique
     * @param startAfter steps of the group before its first
     */
    public record Job(String name, FineTune.Spec spec, long startAfter) {}

    /**
     * How a job ended.
     *
     * @param outcome null where it failed
     * @param failure null where it did not
     */
    public record Result(
            Job job,
            Trainer.@Nullable Outcome outcome,
            @Nullable RuntimeException failure) {}

    /**
     * What jobs share.
     *
     * @param passTokens most tokens of a pass of several; a single micro-batch may have more
     * @param lanes how many steps may be under way at a time; 0: as many as there are jobs and threads, or 1 where each
     *     lane would need its own copy of the weights since they are quantized. Dense weights are mapped from their file,
     *     by all lanes alike, unless they are converted to another dtype
     */
    public record Sharing(int passTokens, int lanes) {
        public static final Sharing DEFAULT = new Sharing(PASS_TOKENS, 0);

        int lanes(List<Job> jobs) {
            TrainConfig training = jobs.getFirst().spec().training();
            int wanted = lanes > 0 ? lanes : training.weights().equals(WeightFormat.DENSE) ? Threads.get() : 1;
            return Math.min(wanted, jobs.size());
        }
    }

    private JobGroup(List<Job> jobs) {
        this.jobs = List.copyOf(jobs);
    }

    /**
     * Checks every job, opens the base they share, and makes their adapters; nothing is trained before all are ready.
     *
     * @param listeners who hears of a job, by its name, on the thread of its lane
     * @throws LoricaException for the first job that cannot work, with its name
     */
    public static JobGroup prepare(
            List<Job> jobs, Sharing sharing, ModelStore store, Function<String, TrainListener> listeners) {
        requireTogether(jobs);
        List<FineTune.Checked> checked = jobs.stream().map(JobGroup::check).toList();
        TrainConfig first = jobs.getFirst().spec().training();
        boolean checkpointing =
                jobs.stream().anyMatch(job -> job.spec().training().gradientCheckpointing());
        JobGroup group = new JobGroup(jobs);
        try {
            long mark = NativeHeap.mark();
            for (int i = 0; i < sharing.lanes(jobs); i++) {
                group.lanes.add(new JobLane(
                        store.open(jobs.getFirst().spec().model(), first.dtype(), first.weights()),
                        sharing.passTokens(),
                        checkpointing));
            }
            if (group.lanes.getFirst().base().model() instanceof SpeechModel) {
                throw new LoricaException.Unsupported(
                        "jobs on " + jobs.getFirst().spec().model() + " must be trained one by one"
                                + " with lorica train: a pass reads recordings at one rate, and theirs may differ");
            }
            for (int i = 0; i < jobs.size(); i++) {
                Job job = jobs.get(i);
                FineTune.Checked check = checked.get(i);
                JobLane lane = group.lanes.get(i % group.lanes.size());
                named(job, () -> {
                    TrainListener listener = listeners.apply(job.name());
                    lane.add(job, FineTune.prepareOn(lane.base(), false, job.spec(), check, mark, listener));
                    return lane;
                });
            }
            return group;
        } catch (RuntimeException e) {
            group.close();
            throw e;
        }
    }

    private static FineTune.Checked check(Job job) {
        FineTune.Checked checked = named(job, () -> FineTune.check(job.spec()));
        if (checked.task().labels().isPresent()) {
            throw new LoricaException.Unsupported("job '" + job.name()
                    + "': its rows have labels, but jobs train language models only; train it alone");
        }
        return checked;
    }

    /** Jobs that share a base share all that decides how it is held. */
    private static void requireTogether(List<Job> jobs) {
        if (jobs.isEmpty()) {
            throw new LoricaException.BadInput("there are no jobs; list at least one under 'jobs'");
        }
        Set<String> names = new HashSet<>();
        Set<Path> directories = new HashSet<>();
        FineTune.Spec first = jobs.getFirst().spec();
        for (Job job : jobs) {
            if (!names.add(job.name())) {
                throw new LoricaException.BadInput("two jobs are named '" + job.name() + "'; give each its own name");
            }
            Path out = Objects.requireNonNull(job.spec().out());
            if (!directories.add(out.toAbsolutePath().normalize())) {
                throw new LoricaException.BadInput("two jobs write to " + out + "; give each its own 'out'");
            }
            if (!job.spec().model().equals(first.model())
                    || job.spec().training().dtype() != first.training().dtype()
                    || !job.spec().training().weights().equals(first.training().weights())) {
                throw new LoricaException.BadInput(
                        "job '" + job.name() + "' asks for another base, dtype or weights than '"
                                + jobs.getFirst().name() + "', but jobs share one base; give all the same");
            }
        }
    }

    /** Says in an error whose it is. */
    private static <T> T named(Job job, Supplier<T> work) {
        try {
            return work.get();
        } catch (LoricaException e) {
            throw e.in("job '" + job.name() + "'");
        }
    }

    private Stream<JobLane.Member> members() {
        return lanes.stream().flatMap(lane -> lane.members().stream());
    }

    private JobLane.Member member(Job job) {
        return members().filter(member -> member.job().equals(job)).findFirst().orElseThrow();
    }

    /** Ends all jobs after the step under way, with checkpoints. Safe from any thread. */
    public void stop() {
        members().forEach(member -> member.task().stop());
    }

    /** The jobs with what is prepared of them, in their order. */
    public SequencedMap<String, FineTune> tasks() {
        SequencedMap<String, FineTune> tasks = new LinkedHashMap<>();
        jobs.forEach(job -> tasks.put(job.name(), member(job).task()));
        return tasks;
    }

    /** Trains all, and writes each one's run directory when it ends. */
    public List<Result> run() {
        JobClock clock = new JobClock(lanes.size());
        if (lanes.size() == 1) {
            lanes.getFirst().run(clock);
        } else {
            runAll(clock);
        }
        return jobs.stream()
                .map(job -> Objects.requireNonNull(member(job).result()))
                .toList();
    }

    private void runAll(JobClock clock) {
        int threads = Math.max(1, Threads.get() / lanes.size());
        List<Callable<@Nullable Void>> works = new ArrayList<>();
        for (JobLane lane : lanes) {
            works.add(() -> {
                Threads.set(threads);
                lane.run(clock);
                return null;
            });
        }
        int before = Threads.get();
        try (ExecutorService pool = Executors.newFixedThreadPool(
                lanes.size(), Thread.ofPlatform().name("lorica-lane-", 1).factory())) {
            for (Future<@Nullable Void> future : pool.invokeAll(works)) {
                future.get();
            }
        } catch (ExecutionException e) {
            throw new LoricaException.Internal("a lane of jobs failed: " + e.getCause(), e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new LoricaException.Internal("interrupted while jobs were training");
        } finally {
            Threads.set(before);
        }
    }

    @Override
    public void close() {
        lanes.forEach(JobLane::close);
    }
}
