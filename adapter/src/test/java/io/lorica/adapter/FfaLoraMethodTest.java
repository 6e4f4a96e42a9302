package io.lorica.adapter;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.lorica.adapter.lowrank.Pair;
import io.lorica.adapter.lowrank.PairAdapter;
import io.lorica.tensor.Grad;
import io.lorica.tensor.LoricaException;
import io.lorica.tensor.Scope;
import io.lorica.tensor.Seed;
import io.lorica.tensor.Tensors;
import java.util.List;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.junit.jupiter.api.Test;

class FfaLoraMethodTest extends MethodContract {
    @Override
    String method() {
        return "ffa-lora";
    }

    @Override
    List<String> suffixes() {
        return List.of(".lora_A.weight", ".lora_B.weight");
    }

    @Test
    void trainables_allSites_areBAlone() {
        Adapter adapter = Adapter.create(
                model, TinyModels.config(method(), "{'r': 4, 'target_modules': ['q_proj']}"), new Seed(1));
        stack.add("a", adapter);
        assertThat(adapter.trainables()).allMatch(trainable -> trainable.name().endsWith(".lora_B.weight"));
        assertThat(adapter.parameterCount()).isEqualTo(2 * 4 * 48); // two layers of 48 x 32: r * out; LoRA adds r * in
    }

    /** {@code mean(B_i A0) = mean(B_i) A0}: what a server averages is what it means. */
    @Test
    void average_clientsOfOneSeed_hasNoGap() {
        Adapter one = trainedOnItsOwn(1);
        Adapter two = trainedOnItsOwn(2);
        try (Scope _ = Scope.open();
                Grad _ = Grad.disabled()) {
            for (String site : one.sites().keySet()) {
                Pair first = pair(one, site);
                Pair second = pair(two, site);
                assertThat(Tensors.floats(first.a())).isEqualTo(Tensors.floats(second.a()));
                Tensor wanted = half(first.product().add(second.product()));
                Tensor averaged = half(first.b().add(second.b())).mm(first.a()).mul(new Scalar(first.scaling()));
                assertThat(Tensors.maxDifference(wanted, averaged)).isLessThan(1e-6);
            }
        }
    }

    @Test
    void plan_embedding_isRefused() {
        assertThatThrownBy(() -> TinyModels.config(method(), "{'r': 4, 'target_modules': ['embed_tokens']}")
                        .plan(SiteShape.of(model), "llama"))
                .isInstanceOf(LoricaException.Unsupported.class)
                .hasMessageContaining("embed_tokens");
    }

    private Adapter trainedOnItsOwn(long client) {
        Adapter adapter = Adapter.create(model, TinyModels.config(method(), settings()), new Seed(7));
        stack.add("client" + client, adapter);
        TinyModels.shake(adapter, 0.1, new Seed(client));
        return adapter;
    }

    private static Pair pair(Adapter adapter, String site) {
        return ((PairAdapter) java.util.Objects.requireNonNull(adapter.sites().get(site))).pair();
    }

    private static Tensor half(Tensor sum) {
        return sum.mul(new Scalar(0.5));
    }
}
