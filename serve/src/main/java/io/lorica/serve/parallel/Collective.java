package io.lorica.serve.parallel;

import io.lorica.tensor.DType;
import io.lorica.tensor.LoricaException;
import io.lorica.tensor.Scope;
import io.lorica.tensor.Tensors;
import java.nio.file.Path;
import java.time.Duration;
import org.bytedeco.javacpp.chrono.Milliseconds;
import org.bytedeco.pytorch.FileStore;
import org.bytedeco.pytorch.GlooDeviceVector;
import org.bytedeco.pytorch.ProcessGroupGloo;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorVector;
import org.bytedeco.pytorch.Work;

/**
 * Ranks of this machine that compute together, over libtorch's Gloo. Every rank makes the same calls in the same order.
 * Types below float32 travel as float32: sums of them are then rounded once.
 */
final class Collective implements AutoCloseable {
    private final ProcessGroupGloo group;
    private final FileStore store;
    private final int rank;
    private final int ranks;
    private double traffic;

    private Collective(FileStore store, ProcessGroupGloo group, int rank, int ranks) {
        this.store = store;
        this.group = group;
        this.rank = rank;
        this.ranks = ranks;
    }

    /**
     * Waits until all ranks have joined.
     *
     * @param meeting a file, not there yet, by which they find one another
     * @param patience how long one rank waits for another, here and in every call
     * @throws LoricaException.Internal where not all come in time
     */
    static Collective join(Path meeting, int rank, int ranks, Duration patience) {
        try (Milliseconds timeout = new Milliseconds(patience.toMillis());
                ProcessGroupGloo.Options options = new ProcessGroupGloo.Options(timeout);
                GlooDeviceVector devices =
                        new GlooDeviceVector(ProcessGroupGloo.createDeviceForHostname("127.0.0.1"))) {
            options.devices(devices);
            options.threads(1);
            FileStore store = new FileStore(meeting.toString(), ranks);
            store.setTimeout(timeout);
            Collective joined = new Collective(store, new ProcessGroupGloo(store, rank, ranks, options), rank, ranks);
            joined.awaitAll();
            return joined;
        } catch (RuntimeException e) {
            throw lost(e);
        }
    }

    /** One rank may be connected while another still looks into the file at which they meet. */
    private void awaitAll() {
        try (Scope _ = Scope.open()) {
            await(group.allreduce(new TensorVector(Tensors.zeros(DType.F32, 1))));
        }
    }

    int rank() {
        return rank;
    }

    int ranks() {
        return ranks;
    }

    /** The sum over the ranks, in the type of {@code x}; owned by the caller's innermost scope. */
    Tensor sum(Tensor x) {
        try (Scope scope = Scope.open()) {
            Tensor sum = wide(x).clone();
            traffic += 2.0 * (ranks - 1) / ranks * sum.numel();
            await(group.allreduce(new TensorVector(sum)));
            return scope.keep(Tensors.to(sum, DType.of(x)));
        }
    }

    /** {@code [n]} of each rank as {@code [ranks, n]}, owned by the caller's innermost scope. */
    Tensor gather(Tensor x) {
        try (Scope scope = Scope.open()) {
            Tensor mine = wide(x).view(1, -1);
            Tensor all = Tensors.empty(DType.of(mine), ranks, mine.size(1));
            traffic += (double) (ranks - 1) / ranks * all.numel();
            await(group._allgather_base(all, mine));
            return scope.keep(Tensors.to(all, DType.of(x)));
        }
    }

    void send(Tensor x, int to) {
        try (Scope _ = Scope.open()) {
            await(group.send(new TensorVector(x), to, 0));
        }
    }

    void receive(Tensor into, int from) {
        try (Scope _ = Scope.open()) {
            await(group.recv(new TensorVector(into), from, 0));
        }
    }

    /**
     * Elements that this rank has sent in sums and gathers, as rings send them: of {@code n} elements {@code (N - 1) n / N}
     * in a gather, twice as many in a sum.
     */
    double traffic() {
        return traffic;
    }

    private static Tensor wide(Tensor x) {
        return switch (DType.of(x)) {
            case BF16, F16 -> Tensors.to(x, DType.F32);
            default -> x.contiguous();
        };
    }

    private static void await(Work work) {
        try {
            work._wait();
        } catch (RuntimeException e) {
            throw lost(e);
        }
    }

    private static LoricaException lost(RuntimeException e) {
        String reason = String.valueOf(e.getMessage()).lines().findFirst().orElse("");
        return new LoricaException.Internal(
                "the ranks of tensor parallelism have lost one another (" + reason + "); start the server again", e);
    }

    @Override
    public void close() {
        group.close();
        store.close();
    }
}
