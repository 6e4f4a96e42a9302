package io.lorica.adapter.mixlora;

import io.lorica.adapter.moe.ExpertGroup;
import io.lorica.adapter.moe.RoutedBlock;
import io.lorica.adapter.moe.Router;
import io.lorica.adapter.moe.Routing;
import io.lorica.model.FeedForward;
import io.lorica.model.Linear;
import io.lorica.model.Pass;
import io.lorica.tensor.DType;
import io.lorica.tensor.Grad;
import io.lorica.tensor.Scope;
import io.lorica.tensor.Tensors;
import io.lorica.tensor.fused.SwiGluOp;
import org.bytedeco.pytorch.GeneratorOptional;
import org.bytedeco.pytorch.Tensor;

/**
 * The experts of one feed-forward block and their router.
 *
 * <pre>
 * z_e = silu(W1 x + D1_e x) * (W3 x + D3_e x)      o_e = W2 z_e + D2_e z_e      y = sum_k w_k o_e_k
 * </pre>
 *
 * <p>{@code W1 x} and {@code W3 x} are computed once for all tokens and handed to the experts (the paper's optimization); what goes
 * into {@code W2} is another thing for each expert, so that K rows a token pass through it, all in one product.
 */
final class MixLoraBlock extends RoutedBlock {
    private final double jitter;

    MixLoraBlock(FeedForward block, Router router, double jitter) {
        super(block, router);
        this.jitter = jitter;
    }

    @Override
    public Tensor forward(Tensor input, Pass pass) {
        try (Scope scope = Scope.open()) {
            Tensor x = pass.training() && jitter > 0 ? jittered(input, pass) : input;
            FeedForward block = block();
            Routing routing = router().route(x, pass);
            Tensor sent = routing.gather(x);
            Tensor gate = routing.gather(block.gate().forward(x, pass));
            Tensor up = routing.gather(block.up().forward(x, pass));
            Tensor z = SwiGluOp.apply(
                    experts(block.gate(), sent, gate, routing, pass), experts(block.up(), sent, up, routing, pass));
            Tensor down = block.down().forward(z, pass);
            return scope.keep(routing.combine(experts(block.down(), z, down, routing, pass)));
        }
    }

    /** What the experts make of the visitors' frozen products. */
    private Tensor experts(Linear map, Tensor x, Tensor base, Routing routing, Pass pass) {
        ExpertGroup group = experts(map);
        return group == null ? base : routing.add(x, base, group.all(), 1, pass);
    }

    private Tensor jittered(Tensor x, Pass pass) {
        try (GeneratorOptional generator =
                pass.dropout().of(block().name() + ".jitter").generator()) {
            Tensor noise;
            try (Grad _ = Grad.disabled()) {
                noise = Tensors.empty(DType.F32, Tensors.shape(x)).uniform_(1 - jitter, 1 + jitter, generator);
            }
            return x.mul(Tensors.to(noise, DType.of(x)));
        }
    }
}
