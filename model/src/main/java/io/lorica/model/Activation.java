package io.lorica.model;

import io.lorica.tensor.LoricaException;
import io.lorica.tensor.Names;
import io.lorica.tensor.Scope;
import java.util.Arrays;
import java.util.List;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;

/** The nonlinearity of a feed-forward block, by the name transformers gives it. */
public enum Activation {
    /** {@code x Phi(x)} with the exact normal distribution. */
    GELU("gelu"),
    /** {@code x/2 (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3)))}. */
    GELU_NEW("gelu_new"),
    /** Another name of {@link #GELU_NEW}. */
    GELU_PYTORCH_TANH("gelu_pytorch_tanh"),
    /** {@code x sigmoid(1.702 x)}, CLIP's. */
    QUICK_GELU("quick_gelu"),
    RELU("relu"),
    /** {@code x sigmoid(x)}. */
    SILU("silu");

    private final String key;

    Activation(String key) {
        this.key = key;
    }

    /** @return owned by the caller's innermost scope */
    public Tensor apply(Tensor x) {
        return switch (this) {
            case GELU -> torch.gelu(x);
            case GELU_NEW, GELU_PYTORCH_TANH -> torch.gelu(x, "tanh");
            case QUICK_GELU -> quickGelu(x);
            case RELU -> torch.relu(x);
            case SILU -> torch.silu(x);
        };
    }

    private static Tensor quickGelu(Tensor x) {
        try (Scope scope = Scope.open()) {
            return scope.keep(x.mul(x.mul(new Scalar(1.702)).sigmoid()));
        }
    }

    /** The activation that a key of the configuration names; an unknown one is refused with the list. */
    public static Activation of(ModelConfig config, String key, Activation otherwise) {
        return named(config.text(key, otherwise.key), config.where() + ": " + key);
    }

    /** @param where the file and key that hold the name, for messages */
    public static Activation named(String name, String where) {
        List<String> known = Arrays.stream(values()).map(value -> value.key).toList();
        return Arrays.stream(values())
                .filter(value -> value.key.equals(name))
                .findFirst()
                .orElseThrow(() -> new LoricaException.Unsupported(where + " '" + name + "' is not supported"
                        + Names.didYouMean(name, known) + " (known: " + String.join(", ", known) + ")"));
    }
}
