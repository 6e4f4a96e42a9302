package io.lorica.train;

import io.lorica.adapter.RowsOverlay;
import io.lorica.model.ModelStore;
import io.lorica.model.Pretrained;
import io.lorica.tensor.LoricaException;
import io.lorica.tensor.Threads;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.SequencedMap;
import java.util.Set;
import java.util.function.Consumer;
import java.util.function.Function;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * Several fine-tuning jobs on one frozen base in one process (m-LoRA, Ye et al., 2023): one copy of the base, and its
 * products computed once for the rows of all jobs that fit into a pass. Each job has its own adapter, data, schedule,
 * optimizer, checkpoints and run directory, and its losses and gradients are those it has alone, up to the order in which
 * products of more rows are summed.
 *
 * <p>All jobs take a step together, each its own: its micro-batches go into passes with those of the others. A job that
 * fails is left as it was at its last checkpoint, and the others go on.
 */
public final class JobGroup implements AutoCloseable {
    /** Rows that a frozen product likes to have together; more gains little and takes memory. */
    public static final int PASS_TOKENS = 1024;

    private final Pretrained base;
    private final List<Member> members = new ArrayList<>();
    private final int passTokens;
    private final FusedPass passes;

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

    private JobGroup(Pretrained base, int passTokens, boolean checkpointing) {
        this.base = base;
        this.passTokens = passTokens;
        passes = new FusedPass(base.causal(), checkpointing);
    }

    /**
     * Checks every job, opens the base they share, and makes their adapters; nothing is trained before all are ready.
     *
     * @param passTokens most tokens of a pass; a single micro-batch may have more
     * @param listeners who hears of a job, by its name
     * @throws LoricaException for the first job that cannot work, with its name
     */
    public static JobGroup prepare(
            List<Job> jobs, int passTokens, ModelStore store, Function<String, TrainListener> listeners) {
        requireTogether(jobs);
        Map<Job, FineTune.Checked> checked = new HashMap<>();
        for (Job job : jobs) {
            FineTune.Checked check = named(job, () -> FineTune.check(job.spec()));
            if (check.task().labels().isPresent()) {
                throw new LoricaException.Unsupported("job '" + job.name()
                        + "': its rows have labels, but jobs train language models only; train it alone");
            }
            checked.put(job, check);
        }
        int _ = Threads.get();
        long mark = NativeHeap.mark();
        FineTune.Spec first = jobs.getFirst().spec();
        Pretrained base = store.open(
                first.model(), first.training().dtype(), first.training().weights());
        boolean checkpointing =
                jobs.stream().anyMatch(job -> job.spec().training().gradientCheckpointing());
        JobGroup group = new JobGroup(base, passTokens, checkpointing);
        try {
            for (Job job : jobs) {
                FineTune task = named(
                        job,
                        () -> FineTune.prepareOn(
                                base,
                                false,
                                job.spec(),
                                Objects.requireNonNull(checked.get(job)),
                                mark,
                                listeners.apply(job.name())));
                Member member = new Member(job, task);
                group.members.add(member);
                requireOwnRows(job, task);
                task.stack().disable(); // the next one's adapter starts from the base alone
            }
            return group;
        } catch (RuntimeException e) {
            group.close();
            throw e;
        }
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

    /** Refuses what acts on the rows of others too. */
    private static void requireOwnRows(Job job, FineTune task) {
        RowsOverlay.Adapters adapters = named(job, task.stack()::rowAdapters);
        if (adapters.sites().isEmpty() && adapters.blocks().isEmpty()) {
            throw new LoricaException.Unsupported("job '" + job.name() + "': method '"
                    + job.spec().method() + "' trains the base's own weights, which the rows of other jobs share; train"
                    + " it alone");
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

    /** A job in the group. */
    private static final class Member {
        private final Job job;
        private final FineTune task;
        private FineTune.@Nullable Session session;
        private @Nullable Result result;
        private Trainer.@Nullable Step step;
        private RowsOverlay.@Nullable Adapters adapters;

        Member(Job job, FineTune task) {
            this.job = job;
            this.task = task;
        }

        /** Runs what concerns this job alone, with its adapter acting alone; a failure ends the job. */
        void alone(Consumer<FineTune.Session> work) {
            try {
                task.activate();
                if (session == null) {
                    session = task.open();
                }
                work.accept(session);
            } catch (RuntimeException e) {
                fail(e);
            } finally {
                task.stack().disable();
            }
        }

        void begin(FineTune.Session own) {
            step = own.loop().begin();
            adapters = task.stack().rowAdapters();
        }

        List<FusedPass.Rows> rows() {
            RowsOverlay.Adapters own = Objects.requireNonNull(adapters);
            return Objects.requireNonNull(step).parts().stream()
                    .map(part -> new FusedPass.Rows(part, own))
                    .toList();
        }

        void finish(FineTune.Session own) {
            own.loop().finish(Objects.requireNonNull(step));
            step = null;
            if (!own.loop().goesOn()) {
                end(own);
            }
        }

        void end(FineTune.Session own) {
            result = new Result(job, own.end(), null);
            close();
        }

        void fail(RuntimeException why) {
            result = new Result(job, null, why);
            close();
        }

        private void close() {
            if (session != null) {
                session.close();
                session = null;
            }
        }
    }

    /** Ends all jobs after the step under way, with checkpoints. Safe from any thread. */
    public void stop() {
        members.forEach(member -> member.task.stop());
    }

    /** The jobs with what is prepared of them, in their order. */
    public SequencedMap<String, FineTune> tasks() {
        SequencedMap<String, FineTune> tasks = new LinkedHashMap<>();
        members.forEach(member -> tasks.put(member.job.name(), member.task));
        return tasks;
    }

    /** Trains all, and writes each one's run directory when it ends. */
    public List<Result> run() {
        for (long round = 0; members.stream().anyMatch(member -> member.result == null); round++) {
            List<Member> active = new ArrayList<>();
            for (Member member : members) {
                if (member.result == null && round >= member.job.startAfter()) {
                    enter(member);
                    if (member.step != null) {
                        active.add(member);
                    }
                }
            }
            backward(active);
            for (Member member : active) {
                if (member.result == null) {
                    member.alone(member::finish);
                }
            }
        }
        return members.stream()
                .map(member -> Objects.requireNonNull(member.result))
                .toList();
    }

    /** Begins a job's next step, or ends it where a resumed run had no step left or was stopped. */
    private static void enter(Member member) {
        boolean fresh = member.session == null;
        member.alone(session -> {
            if (fresh) {
                session.loop().start();
            }
            if (session.loop().goesOn()) {
                member.begin(session);
            } else {
                member.end(session);
            }
        });
    }

    /** One piece of one job's step. */
    private record Piece(Member member, FusedPass.Rows rows) {}

    /** All micro-batches of the step, as many in a pass as may be. */
    private void backward(List<Member> active) {
        List<RowsOverlay.Adapters> adapters = active.stream()
                .map(member -> Objects.requireNonNull(member.adapters))
                .toList();
        RowsOverlay.attach(adapters);
        try {
            List<Piece> pass = new ArrayList<>();
            int tokens = 0;
            for (Member member : active) {
                for (FusedPass.Rows rows : member.rows()) {
                    if (!pass.isEmpty() && tokens + rows.count() > passTokens) {
                        run(pass);
                        pass.clear();
                        tokens = 0;
                    }
                    pass.add(new Piece(member, rows));
                    tokens += rows.count();
                }
            }
            if (!pass.isEmpty()) {
                run(pass);
            }
        } finally {
            RowsOverlay.detach(adapters);
        }
    }

    /** Where a pass of several fails, each goes alone, so that only the one to blame is ended. */
    private void run(List<Piece> pass) {
        List<Piece> alive =
                pass.stream().filter(piece -> piece.member().result == null).toList();
        if (alive.isEmpty()) {
            return;
        }
        try {
            double[] losses = passes.run(alive.stream().map(Piece::rows).toList());
            for (int i = 0; i < losses.length; i++) {
                Piece piece = alive.get(i);
                Objects.requireNonNull(piece.member().step).done(piece.rows().part(), losses[i]);
            }
        } catch (RuntimeException e) { // an adapter fails in its forward pass, before there is any gradient
            if (alive.size() == 1) {
                alive.getFirst().member().fail(e);
            } else {
                alive.forEach(piece -> run(List.of(piece)));
            }
        }
    }

    @Override
    public void close() {
        members.forEach(member -> {
            member.close();
            member.task.close();
        });
        base.close();
    }
}
