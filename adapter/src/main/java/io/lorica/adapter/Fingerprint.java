package io.lorica.adapter;

import com.fasterxml.jackson.annotation.JsonValue;
import io.lorica.model.BaseModel;
import io.lorica.tensor.DType;
import io.lorica.tensor.Grad;
import io.lorica.tensor.Hashing;
import io.lorica.tensor.LoricaException;
import io.lorica.tensor.Scope;
import io.lorica.tensor.Tensors;
import java.util.TreeMap;

/**
 * Which weights a base model has, whatever it is called and wherever it was read from: SHA-256 over the names, shapes
 * and values of all frozen parameters, in the order of their names.
 *
 * <p>Values are rounded to bfloat16 first, so that the same checkpoint has one fingerprint whether it is loaded as
 * float32 or bfloat16; a change of any weight that bfloat16 can tell is found with certainty, a smaller one is not.
 * (Loading as float16 rounds twice and may give another fingerprint.) A file of quantized weights is another base;
 * weights that are quantized as they are loaded ({@code --weights}) keep the fingerprint of their checkpoint. A classifier's
 * score head is left out: it belongs to the task and is saved with the adapter. About 0.3 s for 135 million parameters.
 *
 * @param sha256 64 hexadecimal digits
 */
public record Fingerprint(@JsonValue String sha256) {

    public Fingerprint {
        if (!sha256.matches("[0-9a-f]{64}")) {
            throw new LoricaException.BadInput(
                    "fingerprint '" + sha256 + "' is not 64 hexadecimal digits; is lorica.json damaged?");
        }
    }

    public static Fingerprint of(BaseModel model) {
        Hashing hash = new Hashing();
        new TreeMap<>(model.parameters()).forEach((name, parameter) -> {
            if (TargetSpec.SCORE_HEADS.stream().noneMatch(head -> name.startsWith(head + "."))) {
                try (Scope _ = Scope.open();
                        Grad _ = Grad.disabled()) {
                    hash.add(name).add(Tensors.to(parameter.checkpoint(), DType.BF16));
                }
            }
        });
        return new Fingerprint(hash.hex());
    }

    @Override
    public String toString() {
        return sha256.substring(0, 12);
    }
}
