package io.lorica.bench;

import io.lorica.tensor.DType;
import io.lorica.tensor.Grad;
import io.lorica.tensor.Quantized;
import io.lorica.tensor.Scope;
import io.lorica.tensor.Tensors;
import io.lorica.tensor.fused.FewRowsOp;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.stream.IntStream;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Level;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OperationsPerInvocation;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;
import org.openjdk.jmh.annotations.Warmup;

/**
 * Products of few rows with frozen weights of SmolLM2-135M ({@code gate_proj}, 1,536 x 576), dense in bfloat16 and in
 * fewer bits. Each goes round over as many different weights as the model has layers, so that they come from memory as in
 * decoding. Time is that of one product.
 */
@State(org.openjdk.jmh.annotations.Scope.Benchmark)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.MICROSECONDS)
@Warmup(iterations = 3, time = 1)
@Measurement(iterations = 5, time = 1)
@Fork(1)
@SuppressWarnings("NullAway.Init") // JMH calls setUp before any benchmark
public class QuantizedBench {
    private static final int LAYERS = 30;

    @Param({"1", "4", "16"})
    public int rows = 1;

    private Scope scope;
    private Tensor x;
    private List<Tensor> dense;
    private List<Quantized> int8;
    private List<Quantized> int4;
    private Tensor buffer;

    @Setup(Level.Trial)
    public void setUp() {
        torch.set_num_threads(2);
        scope = Scope.open();
        x = random(rows, 576);
        dense = IntStream.range(0, LAYERS).mapToObj(_ -> random(1536, 576)).toList();
        int8 = dense.stream().map(w -> Quantized.int8(w, DType.BF16)).toList();
        int4 = dense.stream().map(w -> Quantized.int4(w, 32, DType.BF16)).toList();
        buffer = Tensors.empty(DType.BF16, 576, 1536).t();
    }

    @TearDown(Level.Trial)
    public void tearDown() {
        int8.forEach(Quantized::close);
        int4.forEach(Quantized::close);
        scope.close();
    }

    private static Tensor random(long... shape) {
        return Tensors.to(torch.randn(shape, Tensors.options(DType.F32)), DType.BF16);
    }

    @Benchmark
    @OperationsPerInvocation(LAYERS)
    public void bfloat16() {
        try (Scope _ = Scope.open();
                Grad _ = Grad.disabled()) {
            dense.forEach(w -> torch.linear(x, w));
        }
    }

    @Benchmark
    @OperationsPerInvocation(LAYERS)
    public void int8Packed() {
        multiply(int8);
    }

    @Benchmark
    @OperationsPerInvocation(LAYERS)
    public void int4Packed() {
        multiply(int4);
    }

    /** What a product of many rows pays on top. */
    @Benchmark
    @OperationsPerInvocation(LAYERS)
    public void int4Dequantized() {
        int4.forEach(w -> w.writeTo(buffer));
    }

    private void multiply(List<Quantized> weights) {
        try (Scope _ = Scope.open()) {
            weights.forEach(w -> FewRowsOp.apply(x, w));
        }
    }
}
