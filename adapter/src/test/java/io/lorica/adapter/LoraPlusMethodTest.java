package io.lorica.adapter;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import java.util.Objects;
import org.junit.jupiter.api.Test;

class LoraPlusMethodTest extends MethodContract {
    @Override
    String method() {
        return "lora+";
    }

    @Override
    List<String> suffixes() {
        return List.of(".lora_A.weight", ".lora_B.weight");
    }

    @Test
    void trainingDefaults_ratio_isAboveLoras() {
        assertThat(Objects.requireNonNull(
                                Methods.named("lora+").trainingDefaults().get("loraplus_lr_ratio"))
                        .doubleValue())
                .isEqualTo(16);
    }
}
