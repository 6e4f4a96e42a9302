package io.lorica.model.t5;

import io.lorica.model.Batch;
import io.lorica.model.Linear;
import io.lorica.model.Pass;
import io.lorica.model.RmsNorm;
import io.lorica.model.Weights;
import io.lorica.tensor.Scope;
import java.util.List;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/**
 * One T5 layer, normalised before each sublayer (Raffel et al. 2020, section 2.1; the gated form: Shazeer 2020):
 *
 * <pre>
 * h = x + dropout(SelfAttention(norm(x)))
 * h = h + dropout(EncDecAttention(norm(h), source))       decoder only
 * y = h + dropout(wo(dropout(f(norm(h)))))                f = act(wi x), or act(wi_0 x) * wi_1 x
 * </pre>
 */
final class T5Block {
    private final String name;
    private final T5Config config;
    private final T5Attention self;
    private final RmsNorm selfNorm;
    private final @Nullable T5Attention cross;
    private final @Nullable RmsNorm crossNorm;
    private final Linear in;
    private final @Nullable Linear linearIn;
    private final Linear out;
    private final RmsNorm feedNorm;

    T5Block(String stack, int layer, boolean decoder, T5Config config, Weights weights) {
        this.config = config;
        name = stack + ".block." + layer + ".layer.";
        int last = decoder ? 2 : 1;
        self = new T5Attention(name + "0.SelfAttention", layer, config, weights);
        selfNorm = norm(weights, 0);
        cross = decoder ? new T5Attention(name + "1.EncDecAttention", layer, config, weights) : null;
        crossNorm = decoder ? norm(weights, 1) : null;
        String dense = name + last + ".DenseReluDense.";
        in = weights.linear(dense + (config.gated() ? "wi_0" : "wi"), config.inner(), config.hidden(), false);
        linearIn = config.gated() ? weights.linear(dense + "wi_1", config.inner(), config.hidden(), false) : null;
        out = weights.linear(dense + "wo", config.hidden(), config.inner(), false);
        feedNorm = norm(weights, last);
    }

    private RmsNorm norm(Weights weights, int sublayer) {
        return RmsNorm.of(weights, name + sublayer + ".layer_norm", config.hidden(), config.eps());
    }

    /** A layer of the encoder. */
    Tensor forward(Tensor hidden, Batch batch, List<Tensor> bias, Pass pass) {
        try (Scope scope = Scope.open()) {
            return scope.keep(feed(attend(hidden, batch, bias, pass), pass));
        }
    }

    /** A layer of the decoder. */
    Tensor forward(Tensor hidden, Batch batch, List<Tensor> bias, Tensor encoded, Batch source, Pass pass) {
        if (cross == null || crossNorm == null) {
            throw new IllegalStateException(name + " is a layer of the encoder");
        }
        try (Scope scope = Scope.open()) {
            Tensor own = attend(hidden, batch, bias, pass);
            Tensor read = cross.cross(crossNorm.forward(own), batch, encoded, source, pass);
            return scope.keep(feed(own.add(drop(read, "cross", pass)), pass));
        }
    }

    private Tensor attend(Tensor hidden, Batch batch, List<Tensor> bias, Pass pass) {
        return hidden.add(drop(self.self(selfNorm.forward(hidden), batch, bias, pass), "self", pass));
    }

    private Tensor feed(Tensor hidden, Pass pass) {
        Tensor x = feedNorm.forward(hidden);
        Tensor wide = config.activation().apply(in.forward(x, pass));
        Tensor gated = linearIn == null ? wide : wide.mul(linearIn.forward(x, pass));
        return hidden.add(drop(out.forward(drop(gated, "inner", pass), pass), "feed", pass));
    }

    private Tensor drop(Tensor x, String stream, Pass pass) {
        return pass.dropout(x, config.dropout(), name + stream);
    }
}
