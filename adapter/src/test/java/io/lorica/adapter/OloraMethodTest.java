package io.lorica.adapter;

import static org.assertj.core.api.Assertions.assertThat;

import io.lorica.tensor.DType;
import io.lorica.tensor.Scope;
import io.lorica.tensor.Tensors;
import java.util.List;
import java.util.Objects;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.junit.jupiter.api.Test;

class OloraMethodTest extends MethodContract {
    @Override
    String method() {
        return "olora";
    }

    @Override
    double startTolerance() {
        return 1e-4; // two products that cancel
    }

    @Override
    List<String> suffixes() {
        return List.of(".lora_A.weight", ".lora_B.weight");
    }

    @Test
    void create_factors_areOrthonormalAndTrapezoidal() {
        SiteAdapter site = fresh("a").sites().firstEntry().getValue();
        try (Scope _ = Scope.open()) {
            Tensor a =
                    Objects.requireNonNull(site.tensors().get("lora_A.weight")).detach();
            Tensor b =
                    Objects.requireNonNull(site.tensors().get("lora_B.weight")).detach();
            assertThat(Tensors.maxDifference(b.t().mm(b), torch.eye(4))).isLessThan(1e-5);
            assertThat(Tensors.maxDifference(torch.tril(a, -1), Tensors.zeros(DType.F32, Tensors.shape(a))))
                    .isLessThan(1e-6);
        }
    }
}
