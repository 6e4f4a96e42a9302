package io.lorica.tensor.fused;

import io.lorica.tensor.CustomGradient;
import io.lorica.tensor.Grad;
import io.lorica.tensor.Scope;
import java.util.List;
import jdk.incubator.vector.FloatVector;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;

/**
 * {@code y = silu(g) * u} with {@code silu(g) = g / (1 + exp(-g))}, rounded to the type before the product, as
 * transformers does.
 *
 * <p>Gradients, with {@code p = 1 / (1 + exp(-g))}: {@code dg = dy u p (1 + g (1 - p))}, {@code du = dy g p}.
 */
public final class SwiGluOp {
    /** Elements of one row; the tensors have no rows of their own here. */
    private static final int CHUNK = 1024;

    private SwiGluOp() {}

    /**
     * @param gate {@code [..., n]}
     * @param up the same shape and dtype
     * @return likewise, owned by the caller's innermost scope
     */
    public static Tensor apply(Tensor gate, Tensor up) {
        if (!Kernels.fit(gate, up) || !gate.is_contiguous() || !up.is_contiguous()) {
            return torch.silu(gate).mul(up);
        }
        if (!CustomGradient.records(gate, up)) {
            Tensor y = torch.empty_like(gate);
            forward(gate, up, y);
            return y;
        }
        try (Scope scope = Scope.open()) {
            Tensor y;
            try (Grad _ = Grad.disabled()) {
                y = torch.empty_like(gate.detach());
                forward(gate, up, y);
            }
            return scope.keep(CustomGradient.attach(
                    y,
                    List.of(gate, up),
                    List.of(gate, up),
                    (dy, saved, _) -> backward(saved.get(0), saved.get(1), dy.contiguous())));
        }
    }

    private static void forward(Tensor gate, Tensor up, Tensor y) {
        Rows out = new Rows(y);
        boolean rounds = out.rounds();
        List<Rows> inputs = List.of(new Rows(gate), new Rows(up));
        Kernels.apply(gate.numel(), CHUNK, inputs, List.of(out), (_, _, buffers) -> {
            float[] g = buffers[0];
            float[] u = buffers[1];
            for (int i = 0; i < g.length; i += Rows.LANES) {
                FloatVector v = FloatVector.fromArray(Rows.FLOATS, g, i);
                FloatVector silu = v.mul(Lanes.sigmoid(v));
                FloatVector.fromArray(Rows.FLOATS, u, i)
                        .mul(rounds ? Lanes.rounded(silu) : silu)
                        .intoArray(g, i);
            }
        });
    }

    private static List<Tensor> backward(Tensor gate, Tensor up, Tensor gradient) {
        Tensor dGate = torch.empty_like(gate);
        Tensor dUp = torch.empty_like(up);
        List<Rows> inputs = List.of(new Rows(gate), new Rows(up), new Rows(gradient));
        List<Rows> outputs = List.of(new Rows(dGate), new Rows(dUp));
        Kernels.apply(gate.numel(), CHUNK, inputs, outputs, (_, _, buffers) -> {
            float[] g = buffers[0];
            float[] u = buffers[1];
            float[] d = buffers[2];
            for (int i = 0; i < g.length; i += Rows.LANES) {
                FloatVector v = FloatVector.fromArray(Rows.FLOATS, g, i);
                FloatVector dv = FloatVector.fromArray(Rows.FLOATS, d, i);
                FloatVector p = Lanes.sigmoid(v);
                FloatVector slope = p.mul(v.mul(p.neg().add(1)).add(1));
                dv.mul(FloatVector.fromArray(Rows.FLOATS, u, i)).mul(slope).intoArray(g, i);
                dv.mul(v).mul(p).intoArray(u, i);
            }
        });
        return List.of(dGate, dUp);
    }
}
