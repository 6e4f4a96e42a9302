package io.lorica.adapter;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.lorica.adapter.lowrank.Pair;
import io.lorica.adapter.lowrank.PairAdapter;
import io.lorica.model.Linear;
import io.lorica.tensor.DType;
import io.lorica.tensor.Grad;
import io.lorica.tensor.LoricaException;
import io.lorica.tensor.Scope;
import io.lorica.tensor.Seed;
import io.lorica.tensor.Tensors;
import java.util.List;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.junit.jupiter.api.Test;

class LoraFaMethodTest extends MethodContract {
    @Override
    String method() {
        return "lora-fa";
    }

    @Override
    List<String> suffixes() {
        return List.of(".lora_A.weight", ".lora_B.weight");
    }

    /** The best update that A allows leaves nothing of the full gradient within the rows of A. */
    @Test
    void beforeUpdate_gradientOfB_leavesARestOrthogonalToA() {
        Adapter adapter = shaken("a");
        PairAdapter part = (PairAdapter) adapter.sites().firstEntry().getValue();
        Pair pair = part.pair();
        Linear site = (Linear) part.site();
        try (Scope _ = Scope.open();
                Grad _ = Grad.disabled()) {
            Tensor full = Tensors.empty(DType.F32, site.out(), site.in()).normal_(0, 1, new Seed(9).generator());
            Scalar scaling = new Scalar(pair.scaling());
            pair.b().mutable_grad().put(full.mm(pair.a().t()).mul(scaling));
            adapter.trainingRule(new Seed(1)).beforeUpdate(0);
            Tensor update = pair.b().grad().mm(pair.a()).mul(scaling);
            Tensor rest = full.sub(update);
            assertThat(rest.mm(pair.a().t()).abs().max().item_double()).isLessThan(1e-4);
            assertThat(update.norm().item_double()).isGreaterThan(1);
        }
    }

    @Test
    void plan_alphaOfZero_isRefused() {
        assertThatThrownBy(() -> TinyModels.config(method(), "{'r': 4, 'lora_alpha': 0, 'target_modules': ['q_proj']}")
                        .plan(SiteShape.of(model), "llama"))
                .isInstanceOf(LoricaException.BadInput.class)
                .hasMessageContaining("lora_alpha is 0");
    }
}
