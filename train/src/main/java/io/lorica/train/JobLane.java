package io.lorica.train;

import io.lorica.adapter.RowsOverlay;
import io.lorica.model.Pretrained;
import io.lorica.tensor.LoricaException;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Objects;
import java.util.Set;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/** The jobs of a {@link JobGroup} that take their steps together: as many of their micro-batches in a pass as may be. */
final class JobLane implements AutoCloseable {
    private final Pretrained base;
    private final int passTokens;
    private final FusedPass passes;
    private final List<Member> members = new ArrayList<>();

    /** @param base taken over */
    JobLane(Pretrained base, int passTokens, boolean checkpointing) {
        this.base = base;
        this.passTokens = passTokens;
        passes = new FusedPass(base.causal(), checkpointing);
    }

    Pretrained base() {
        return base;
    }

    /** @param task on this lane's base, taken over */
    void add(JobGroup.Job job, FineTune task) {
        members.add(new Member(job, task));
        requireOwnRows(job, task);
        task.stack().disable(); // the next one's adapter starts from the base alone
    }

    List<Member> members() {
        return members;
    }

    /** Refuses what acts on the rows of others too. */
    private static void requireOwnRows(JobGroup.Job job, FineTune task) {
        RowsOverlay.Adapters adapters = task.stack().rowAdapters();
        if (adapters.sites().isEmpty() && adapters.blocks().isEmpty()) {
            throw new LoricaException.Unsupported("job '" + job.name() + "': method '"
                    + job.spec().method() + "' trains the base's own weights, which the rows of other jobs share; train"
                    + " it alone");
        }
    }

    /** A job in the lane. */
    static final class Member {
        private final JobGroup.Job job;
        private final FineTune task;
        private FineTune.@Nullable Session session;
        private JobGroup.@Nullable Result result;
        private Trainer.@Nullable Step step;
        private RowsOverlay.@Nullable Adapters adapters;

        Member(JobGroup.Job job, FineTune task) {
            this.job = job;
            this.task = task;
        }

        JobGroup.Job job() {
            return job;
        }

        FineTune task() {
            return task;
        }

        JobGroup.@Nullable Result result() {
            return result;
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

        /** Takes back what the step has done so far, gradients included. */
        void again() {
            Objects.requireNonNull(session).loop().restart(Objects.requireNonNull(step));
        }

        void finish(FineTune.Session own) {
            own.loop().finish(Objects.requireNonNull(step));
            step = null;
            if (!own.loop().goesOn()) {
                end(own);
            }
        }

        void end(FineTune.Session own) {
            result = new JobGroup.Result(job, own.end(), null);
            close();
        }

        void fail(RuntimeException why) {
            result = new JobGroup.Result(job, null, why);
            close();
        }

        private void close() {
            if (session != null) {
                session.close();
                session = null;
            }
        }
    }

    /** Trains all. */
    void run(JobClock clock) {
        try {
            while (members.stream().anyMatch(member -> member.result == null)) {
                List<Member> active = enter(clock.now());
                if (active.isEmpty()) {
                    members.stream()
                            .filter(member -> member.result == null)
                            .mapToLong(member -> member.job.startAfter())
                            .min()
                            .ifPresent(clock::await);
                } else {
                    backward(active);
                    active.stream()
                            .filter(member -> member.result == null)
                            .forEach(member -> member.alone(member::finish));
                    clock.step(this);
                }
            }
        } finally {
            clock.ended();
        }
    }

    /** Begins the next step of those whose time has come. */
    private List<Member> enter(long now) {
        List<Member> active = new ArrayList<>();
        for (Member member : members) {
            if (member.result == null && now >= member.job.startAfter()) {
                enter(member);
                if (member.step != null) {
                    active.add(member);
                }
            }
        }
        return active;
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
            Set<Member> again = new LinkedHashSet<>();
            for (List<Piece> pass : passes(active)) {
                again.addAll(run(pass.stream()
                        .filter(piece -> !again.contains(piece.member()) && piece.member().result == null)
                        .toList()));
            }
            for (Member member : again) {
                member.again();
                for (FusedPass.Rows rows : member.rows()) {
                    if (member.result == null) {
                        run(List.of(new Piece(member, rows)));
                    }
                }
            }
        } finally {
            RowsOverlay.detach(adapters);
        }
    }

    private List<List<Piece>> passes(List<Member> active) {
        List<List<Piece>> passes = new ArrayList<>();
        int tokens = 0;
        for (Member member : active) {
            for (FusedPass.Rows rows : member.rows()) {
                if (passes.isEmpty() || tokens + rows.count() > passTokens) {
                    passes.add(new ArrayList<>());
                    tokens = 0;
                }
                passes.getLast().add(new Piece(member, rows));
                tokens += rows.count();
            }
        }
        return passes;
    }

    /**
     * One pass. Where one of several members fails, none can tell which gradients are there already: all of them take their
     * step again, each alone, so that only the one to blame is ended.
     *
     * @return who takes the step again
     */
    private List<Member> run(List<Piece> pass) {
        if (pass.isEmpty()) {
            return List.of();
        }
        try {
            double[] losses = passes.run(pass.stream().map(Piece::rows).toList());
            for (int i = 0; i < losses.length; i++) {
                Piece piece = pass.get(i);
                Objects.requireNonNull(piece.member().step).done(piece.rows().part(), losses[i]);
            }
            return List.of();
        } catch (RuntimeException e) {
            List<Member> concerned = pass.stream().map(Piece::member).distinct().toList();
            if (concerned.size() > 1) {
                return concerned;
            }
            concerned.getFirst().fail(e);
            return List.of();
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
