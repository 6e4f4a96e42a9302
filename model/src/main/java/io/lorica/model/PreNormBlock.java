package io.lorica.model;

import io.lorica.tensor.Scope;
import org.bytedeco.pytorch.Tensor;

/**
 * A transformer layer normalised before each sublayer, as CLIP and ViT have it (Dosovitskiy et al. 2021, equations 2
 * and 3):
 *
 * <pre>
 * h = x + dropout(o(attention(q(n), k(n), v(n))))     n = norm1(x)
 * y = h + dropout(down(act(up(norm2(h)))))
 * </pre>
 *
 * @param name of the layer, for the stream of its dropout
 * @param dropout probability after each sublayer, in training
 */
public record PreNormBlock(
        String name,
        LayerNorm norm1,
        Linear q,
        Linear k,
        Linear v,
        Linear o,
        Attention attention,
        LayerNorm norm2,
        Linear up,
        Linear down,
        Activation activation,
        double dropout)
        implements Block {

    /** Mixes the tokens of each sequence: {@code [T, width]} three times to {@code [T, width]}. */
    @FunctionalInterface
    public interface Attention {
        Tensor forward(Tensor q, Tensor k, Tensor v, Batch batch, Pass pass);
    }

    @Override
    public Tensor forward(Tensor hidden, Batch batch, Pass pass) {
        try (Scope scope = Scope.open()) {
            Tensor x = norm1.forward(hidden);
            Tensor mixed = attention.forward(q.forward(x, pass), k.forward(x, pass), v.forward(x, pass), batch, pass);
            Tensor middle = hidden.add(pass.dropout(o.forward(mixed, pass), dropout, name + ".attention"));
            Tensor wide = activation.apply(up.forward(norm2.forward(middle), pass));
            Tensor fed = down.forward(wide, pass);
            return scope.keep(middle.add(pass.dropout(fed, dropout, name + ".mlp")));
        }
    }
}
