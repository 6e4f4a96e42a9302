package io.lorica.tensor;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import org.junit.jupiter.api.Test;

class NamesTest {
    private static final List<String> KNOWN = List.of("lora_alpha", "lora_dropout", "rank_pattern", "r");

    @Test
    void nearest_misspelling_findsTheKnownName() {
        assertThat(Names.nearest("lora_alhpa", KNOWN)).contains("lora_alpha");
        assertThat(Names.nearest("LORA_ALPHA", KNOWN)).contains("lora_alpha");
        assertThat(Names.nearest("rank_patern", KNOWN)).contains("rank_pattern");
    }

    @Test
    void nearest_severalNear_takesTheNearest() {
        assertThat(Names.nearest("kernel", List.of("colonel", "kernels", "journal")))
                .contains("kernels");
    }

    @Test
    void nearest_nothingNear_isEmpty() {
        assertThat(Names.nearest("temperature", KNOWN)).isEmpty();
        assertThat(Names.nearest("x", List.of())).isEmpty();
    }

    @Test
    void didYouMean_reads() {
        assertThat(Names.didYouMean("lora_alpa", KNOWN)).isEqualTo("; did you mean 'lora_alpha'?");
        assertThat(Names.didYouMean("temperature", KNOWN)).isEmpty();
    }
}
