package io.lorica.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.lorica.tensor.LoricaException;
import org.junit.jupiter.api.Test;

class CatalogueTest {

    @Test
    void standard_hasTheRequiredModels() {
        assertThat(Catalogue.standard().names())
                .containsExactly("smollm2-135m-instruct", "minilm-l6-v2", "lorica-tiny");
    }

    @Test
    void standard_everyWheelFile_isPinnedByItsHash() {
        assertThat(Catalogue.standard().models())
                .flatExtracting(Catalogue.Entry::sources)
                .filteredOn(Catalogue.Wheel.class::isInstance)
                .isNotEmpty()
                .allSatisfy(source -> assertThat(((Catalogue.Wheel) source).files())
                        .allMatch(file -> file.sha256().matches("[0-9a-f]{64}") && file.bytes() > 0));
    }

    @Test
    void parse_unknownKey_isRefused() {
        assertThatThrownBy(() -> Catalogue.parse("{\"models\": [], \"mirror\": 1}", "mine.json"))
                .isInstanceOf(LoricaException.BadInput.class)
                .hasMessageContaining("mine.json")
                .hasMessageContaining("mirror");
    }
}
