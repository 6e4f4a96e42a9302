package io.lorica.adapter;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import io.lorica.tensor.LoricaException;
import io.lorica.tensor.Scope;
import io.lorica.tensor.Seed;
import io.lorica.tensor.Tensors;
import java.util.List;
import org.junit.jupiter.api.Test;

class RsLoraMethodTest extends MethodContract {
    @Override
    String method() {
        return "rslora";
    }

    @Override
    List<String> suffixes() {
        return List.of(".lora_A.weight", ".lora_B.weight");
    }

    @Test
    void change_sameFactors_isLorasTimesTheRootOfTheRank() {
        String settings = "{'r': 4, 'init_lora_weights': false, 'target_modules': ['q_proj']}";
        try (Scope _ = Scope.open();
                Adapter plain = Adapter.create(model, TinyModels.config("lora", settings), new Seed(1));
                Adapter stable = Adapter.create(model, TinyModels.config("rslora", settings), new Seed(1))) {
            SiteAdapter site = plain.sites().firstEntry().getValue();
            double norm = site.change(site.site().weight().frozen()).norm().item_double();
            SiteAdapter other = stable.sites().firstEntry().getValue();
            assertThat(other.change(Tensors.to(other.site().weight().frozen(), io.lorica.tensor.DType.F32))
                            .norm()
                            .item_double())
                    .isCloseTo(2 * norm, within(1e-4));
        }
    }

    @Test
    void parse_contradictingKey_isRefused() {
        assertThatThrownBy(() -> TinyModels.config("rslora", "{'use_rslora': false}"))
                .isInstanceOf(LoricaException.BadInput.class)
                .hasMessageContaining("method 'rslora' means true");
    }
}
