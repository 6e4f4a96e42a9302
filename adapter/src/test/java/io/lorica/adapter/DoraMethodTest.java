package io.lorica.adapter;

import static org.assertj.core.api.Assertions.assertThat;

import io.lorica.tensor.Scope;
import io.lorica.tensor.Tensors;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.bytedeco.pytorch.Tensor;
import org.junit.jupiter.api.Test;

class DoraMethodTest extends MethodContract {
    @Override
    String method() {
        return "dora";
    }

    @Override
    boolean exactGradient() {
        return false;
    }

    @Override
    List<String> suffixes() {
        return List.of(".lora_A.weight", ".lora_B.weight", ".lora_magnitude_vector");
    }

    @Test
    void merge_rowNorms_areTheMagnitudes() {
        Adapter adapter = shaken("a");
        stack.merge(Map.of("a", 1.0), MergeOptions.of(io.lorica.tensor.DType.F32));
        adapter.sites().values().forEach(site -> {
            try (Scope _ = Scope.open()) {
                Tensor weight = site.site().weight().value();
                Tensor norms = weight.mul(weight).sum(1).sqrt();
                Tensor magnitudes = Objects.requireNonNull(site.tensors().get("lora_magnitude_vector"))
                        .detach()
                        .abs();
                assertThat(Tensors.maxDifference(norms, magnitudes)).isLessThan(1e-5);
            }
        });
        stack.unmerge();
    }
}
