package io.lorica.tensor;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

class DTypeTest {
    @ParameterizedTest
    @EnumSource(DType.class)
    void of_tensorOfEveryType_isThatTypeWithTorchsSize(DType type) {
        try (Scope _ = Scope.open()) {
            Tensor tensor = Tensors.empty(type, 3);
            assertThat(DType.of(tensor)).isEqualTo(type);
            assertThat((long) type.bytes()).isEqualTo(tensor.element_size());
            assertThat(type.isFloat()).isEqualTo(tensor.is_floating_point());
            assertThat(DType.fromSafetensors(type.name())).isEqualTo(type);
        }
    }

    @Test
    void of_typeThatFilesCannotHold_isUnsupported() {
        try (Scope _ = Scope.open()) {
            Tensor complex = Tensors.zeros(DType.F64, 2).to(ScalarType.ComplexDouble);
            assertThatThrownBy(() -> DType.of(complex))
                    .isInstanceOf(LoricaException.Unsupported.class)
                    .hasMessageContaining("ComplexDouble");
        }
    }

    @ParameterizedTest
    @CsvSource({
        "float32,F32",
        "fp32,F32",
        "F32,F32",
        "bfloat16,BF16",
        "BF16,BF16",
        "float16,F16",
        "half,F16",
        "float64,F64"
    })
    void parse_usualNames_areKnown(String name, DType type) {
        assertThat(DType.parse(name)).isEqualTo(type);
    }

    @Test
    void parse_misspelling_suggests() {
        assertThatThrownBy(() -> DType.parse("bflaot16"))
                .isInstanceOf(LoricaException.BadInput.class)
                .hasMessageContaining("did you mean 'bfloat16'?");
    }

    @Test
    void fromSafetensors_unknown_listsTheKnown() {
        assertThatThrownBy(() -> DType.fromSafetensors("F4"))
                .isInstanceOf(LoricaException.BadInput.class)
                .hasMessageContainingAll("'F4'", "BF16");
    }
}
