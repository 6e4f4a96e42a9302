package io.lorica.tensor;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import org.bytedeco.pytorch.global.torch;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class DeviceTest {
    @Test
    void parse_cpu_isTheCpu() {
        assertThat(Device.parse("cpu")).isEqualTo(Device.CPU).hasToString("cpu");
    }

    @ParameterizedTest
    @ValueSource(strings = {"cuda", "cuda:0", "cuda:3"})
    void parse_cudaWithoutIt_isUnsupportedAndNamesAWayOut(String name) {
        Assumptions.assumeFalse(torch.hasCUDA(), "this build has CUDA");
        assertThatThrownBy(() -> Device.parse(name))
                .isInstanceOf(LoricaException.Unsupported.class)
                .hasMessageContainingAll("'" + name + "'", "use cpu", "-Pgpu");
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "gpu", "cuda:", "cuda:-1", "cuda:9999", "CPU"})
    void parse_otherNames_areRefused(String name) {
        assertThatThrownBy(() -> Device.parse(name))
                .isInstanceOf(LoricaException.BadInput.class)
                .hasMessageContaining("known: cpu, cuda, cuda:N");
    }

    @Test
    void threads_set_isWhatTorchUses() {
        int before = Threads.get();
        try {
            Threads.set(1);
            assertThat(torch.get_num_threads()).isEqualTo(1);
        } finally {
            Threads.set(before);
        }
        assertThatThrownBy(() -> Threads.set(0)).isInstanceOf(LoricaException.BadInput.class);
    }
}
