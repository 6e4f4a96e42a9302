package io.lorica.bench;

import io.lorica.model.Batch;
import io.lorica.model.CausalAttention;
import io.lorica.tensor.DType;
import io.lorica.tensor.Grad;
import io.lorica.tensor.Scope;
import io.lorica.tensor.Tensors;
import java.util.concurrent.TimeUnit;
import java.util.stream.IntStream;
import org.bytedeco.pytorch.DoubleOptional;
import org.bytedeco.pytorch.LongOptional;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorOptional;
import org.bytedeco.pytorch.global.torch;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Level;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;
import org.openjdk.jmh.annotations.Warmup;

/**
 * The operations a training step spends its time in, at the shape of SmolLM2-135M: eight sequences of 240 tokens, hidden
 * 576, feed-forward 1,536, nine query and three key heads of 64.
 */
@State(org.openjdk.jmh.annotations.Scope.Benchmark)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.MILLISECONDS)
@Warmup(iterations = 3, time = 2)
@Measurement(iterations = 5, time = 2)
@Fork(1)
@SuppressWarnings("NullAway.Init") // JMH calls setUp before any benchmark
public class HotPathBench {
    private static final int SEQUENCES = 8;
    private static final int TOKENS = SEQUENCES * 240;

    @Param({"BF16", "F32"})
    public DType dtype = DType.BF16;

    private Scope scope;
    private Tensor x;
    private Tensor q;
    private Tensor k;
    private Tensor v;
    private Tensor gate;
    private Tensor a;
    private Tensor b;
    private Batch batch;

    @Setup(Level.Trial)
    public void setUp() {
        torch.set_num_threads(2);
        scope = Scope.open();
        x = random(TOKENS, 576);
        q = random(TOKENS, 576);
        k = random(TOKENS, 192);
        v = random(TOKENS, 192);
        gate = random(1536, 576);
        a = random(16, 576);
        b = random(1536, 16);
        batch = Batch.of(IntStream.range(0, SEQUENCES)
                .mapToObj(_ -> new long[TOKENS / SEQUENCES])
                .toList());
    }

    @TearDown(Level.Trial)
    public void tearDown() {
        scope.close();
    }

    private Tensor random(long... shape) {
        return Tensors.to(torch.randn(shape, Tensors.options(DType.F32)), dtype);
    }

    /** The frozen product of a feed-forward projection. */
    @Benchmark
    public void frozenLinear() {
        try (Scope _ = Scope.open();
                Grad _ = Grad.disabled()) {
            torch.linear(x, gate);
        }
    }

    /** What LoRA of rank 16 adds to it. */
    @Benchmark
    public void lowRankBranch() {
        try (Scope _ = Scope.open();
                Grad _ = Grad.disabled()) {
            torch.linear(torch.linear(x, a), b);
        }
    }

    /** Attention of a whole layer, from batched products. */
    @Benchmark
    public void attention() {
        try (Scope _ = Scope.open();
                Grad _ = Grad.disabled()) {
            new CausalAttention(9, 3, 64, 0).forward(q, k, v, batch, 0);
        }
    }

    /** libtorch's fused attention of the same layer, for comparison. */
    @Benchmark
    public void fusedAttention() {
        try (Scope _ = Scope.open();
                Grad _ = Grad.disabled()) {
            long length = TOKENS / SEQUENCES;
            Tensor keys = k.view(SEQUENCES, length, 3, 64)
                    .transpose(1, 2)
                    .repeat_interleave(3, new LongOptional(1), new LongOptional());
            Tensor values = v.view(SEQUENCES, length, 3, 64)
                    .transpose(1, 2)
                    .repeat_interleave(3, new LongOptional(1), new LongOptional());
            torch.scaled_dot_product_attention(
                    q.view(SEQUENCES, length, 9, 64).transpose(1, 2),
                    keys,
                    values,
                    new TensorOptional(),
                    0,
                    true,
                    new DoubleOptional(),
                    false);
        }
    }
}
