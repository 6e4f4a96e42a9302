package io.lorica.adapter.llavamole;

import io.lorica.adapter.moe.ExpertGroup;
import io.lorica.adapter.moe.RoutedBlock;
import io.lorica.adapter.moe.Router;
import io.lorica.adapter.moe.Routing;
import io.lorica.model.FeedForward;
import io.lorica.model.Linear;
import io.lorica.model.Pass;
import io.lorica.tensor.Scope;
import io.lorica.tensor.fused.SwiGluOp;
import org.bytedeco.pytorch.Tensor;

/**
 * A feed-forward block whose three maps each get their tokens' expert added; one decision holds for all three. Every frozen product
 * is computed once, and with one visit a token the experts' products have as many rows as the batch has tokens, however many
 * experts there are.
 */
final class LlavaMoleBlock extends RoutedBlock {

    LlavaMoleBlock(FeedForward block, Router router) {
        super(block, router);
    }

    @Override
    public Tensor forward(Tensor x, Pass pass) {
        try (Scope scope = Scope.open()) {
            Routing routing = router().route(x, pass);
            Tensor z =
                    SwiGluOp.apply(adapted(block().gate(), x, routing, pass), adapted(block().up(), x, routing, pass));
            return scope.keep(adapted(block().down(), z, routing, pass));
        }
    }

    private Tensor adapted(Linear map, Tensor x, Routing routing, Pass pass) {
        Tensor base = map.forward(x, pass);
        ExpertGroup group = experts(map);
        return group == null ? base : base.add(routing.change(x, map.out(), group.all(), 1, pass));
    }
}
