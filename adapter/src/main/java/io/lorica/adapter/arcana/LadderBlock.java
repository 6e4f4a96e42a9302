package io.lorica.adapter.arcana;

import io.lorica.adapter.lowrank.LowRank;
import io.lorica.model.Activation;
import io.lorica.model.Pass;
import io.lorica.tensor.DType;
import io.lorica.tensor.Scope;
import io.lorica.tensor.Seed;
import io.lorica.tensor.Tensors;
import java.util.Objects;
import java.util.SequencedMap;
import org.bytedeco.pytorch.GeneratorOptional;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorOptional;
import org.bytedeco.pytorch.global.torch;

/**
 * One rung: {@code a = q + attention(LN0(q), LN1(h), LN1(h))}, {@code q' = a + fc2(quickGelu(fc1(LN2(a))))}, with
 * {@code fc1} to four times the width. The attention is CLIP's, with maps and biases of its own and no mask.
 *
 * @param tensors those of the whole ladder
 * @param name what stands before this block's names, its dot included
 */
record LadderBlock(SequencedMap<String, Tensor> tensors, String name, int heads, double dropout) {
    private static final double EPS = 1e-5;

    /** Width of the MLP by that of the encoder; CLIP's own is a setting. */
    private static final int WIDENING = 4;

    /** Puts the tensors of a fresh block among the ladder's: attention as torch starts linear maps, the rest as CLIP. */
    static LadderBlock fresh(SequencedMap<String, Tensor> tensors, String name, Sizes sizes, Seed seed) {
        LadderBlock block = new LadderBlock(tensors, name, sizes.heads(), sizes.dropout());
        long width = sizes.width();
        for (int i = 0; i < 3; i++) {
            block.put("layer_norm" + i + ".weight", Tensors.ones(DType.F32, width));
            block.put("layer_norm" + i + ".bias", Tensors.zeros(DType.F32, width));
        }
        for (String map : new String[] {"q_proj", "k_proj", "v_proj", "out_proj"}) {
            Seed own = seed.of(map);
            block.put("cross_attn." + map + ".weight", LowRank.kaiming(own, width, width));
            // one column of such a matrix has the bias's distribution too
            block.put(
                    "cross_attn." + map + ".bias",
                    LowRank.kaiming(own.of("bias"), width, width).select(1, 0));
        }
        double up = Math.pow(2.0 * width, -0.5);
        double down = Math.pow((double) width, -0.5) * Math.pow(2.0 * sizes.encoderLayers(), -0.5);
        block.put("mlp.fc1.weight", normal(seed.of("fc1"), up, WIDENING * width, width));
        block.put("mlp.fc1.bias", Tensors.zeros(DType.F32, WIDENING * width));
        block.put("mlp.fc2.weight", normal(seed.of("fc2"), down, width, WIDENING * width));
        block.put("mlp.fc2.bias", Tensors.zeros(DType.F32, width));
        return block;
    }

    /** What a ladder takes over from its encoder. */
    record Sizes(long width, int heads, double dropout, int encoderLayers) {}

    private static Tensor normal(Seed seed, double spread, long rows, long columns) {
        try (GeneratorOptional generator = seed.generator()) {
            return Tensors.empty(DType.F32, rows, columns).normal_(0, spread, generator);
        }
    }

    private void put(String suffix, Tensor tensor) {
        tensors.put(name + suffix, Scope.release(tensor.clone()));
    }

    private Tensor tensor(String suffix) {
        return Objects.requireNonNull(tensors.get(name + suffix), suffix);
    }

    /**
     * @param q {@code [images, queries, width]} float32
     * @param h {@code [images, tokens, width]} float32
     * @return like {@code q}, owned by the caller's innermost scope
     */
    Tensor forward(Tensor q, Tensor h, Pass pass) {
        try (Scope scope = Scope.open()) {
            Tensor attended = attention(norm(q, 0), norm(h, 1), pass);
            Tensor a = q.add(attended);
            Tensor wide = Activation.QUICK_GELU.apply(linear(norm(a, 2), "mlp.fc1"));
            return scope.keep(a.add(linear(wide, "mlp.fc2")));
        }
    }

    private Tensor attention(Tensor q, Tensor h, Pass pass) {
        long width = q.size(2);
        Tensor scores;
        try (Scalar scale = new Scalar(Math.pow((double) width / heads, -0.5))) {
            scores = split(linear(q, "cross_attn.q_proj").mul(scale))
                    .matmul(split(linear(h, "cross_attn.k_proj")).transpose(2, 3));
        }
        Tensor shares = pass.dropout(torch.softmax(scores, -1), dropout, name + "cross_attn");
        Tensor mixed = shares.matmul(split(linear(h, "cross_attn.v_proj")))
                .transpose(1, 2)
                .reshape(q.size(0), q.size(1), width);
        return linear(mixed, "cross_attn.out_proj");
    }

    /** {@code [images, n, heads * d]} to {@code [images, heads, n, d]}. */
    private Tensor split(Tensor x) {
        return x.reshape(x.size(0), x.size(1), heads, -1).transpose(1, 2);
    }

    private Tensor linear(Tensor x, String map) {
        try (TensorOptional bias = new TensorOptional(tensor(map + ".bias"))) {
            return torch.linear(x, tensor(map + ".weight"), bias);
        }
    }

    private Tensor norm(Tensor x, int number) {
        String at = "layer_norm" + number;
        try (TensorOptional scale = new TensorOptional(tensor(at + ".weight"));
                TensorOptional shift = new TensorOptional(tensor(at + ".bias"))) {
            return torch.layer_norm(x, new long[] {x.size(2)}, scale, shift, EPS, true);
        }
    }
}
