package io.lorica.adapter;

import static org.assertj.core.api.Assertions.assertThat;

import io.lorica.model.BaseModel;
import io.lorica.tensor.DType;
import io.lorica.tensor.Scope;
import io.lorica.tensor.Seed;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.bytedeco.pytorch.Tensor;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Adapters act on sites, so they work on models that are no decoders: CLIP, ViT, T5. */
class OtherModelsTest {

    @ParameterizedTest
    @CsvSource({
        "clip, lora, 'q_proj,v_proj'",
        "clip, block-lora, 'q_proj,k_proj,v_proj'",
        "clip-legacy, dora, 'text_projection,fc2'",
        "vit, lora, 'query,value,classifier'",
        "t5, lora, 'q,v,wi'",
        "t5-gated, lora, 'EncDecAttention.k,wi_1'"
    })
    void merge_onAnyModel_equalsTheOverlay(String name, String method, String targets, @TempDir Path out) {
        try (BaseModel model = TinyModels.open(name, DType.F32);
                AdapterStack stack = new AdapterStack(model)) {
            Adapter adapter = Adapter.create(
                    model,
                    TinyModels.config(method, "{'r': 2, 'target_modules': ['" + targets.replace(",", "','") + "']}"),
                    new Seed(1));
            stack.add("a", adapter);
            TinyModels.shake(adapter, 0.1, new Seed(2));
            stack.activate("a");
            MergeCertificate certificate = stack.merge(Map.of("a", 1.0), MergeOptions.of(DType.F32));
            assertThat(certificate.adapterEffect()).isGreaterThan(1e-3);
            assertThat(certificate.logitChange()).isLessThan(5e-5);
            stack.unmerge();
            adapter.save(out);
            try (Scope _ = Scope.open()) {
                Probe probe = Probe.of(model, List.of());
                List<Tensor> before = probe.run();
                stack.add("b", Adapter.load(model, out, LoadOptions.STRICT));
                stack.activate("b");
                assertThat(Probe.difference(before, probe.run())).isLessThan(1e-6);
            }
        }
    }
}
