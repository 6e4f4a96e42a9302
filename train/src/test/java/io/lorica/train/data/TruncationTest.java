package io.lorica.train.data;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.lorica.tensor.LoricaException;
import java.util.Set;
import org.junit.jupiter.api.Test;

class TruncationTest {
    private static final Truncation TRUNCATION = new Truncation(Set.of(1L, 2L));

    @Test
    void to_singleText_keepsTheSpecialTokensAroundIt() {
        Example whole = new Example(new long[] {1, 10, 11, 12, 13, 2}, new boolean[6], 3);
        Example cut = TRUNCATION.to(4, whole);
        assertThat(cut.tokens()).containsExactly(1, 10, 11, 2);
        assertThat(cut.label()).isEqualTo(3);
    }

    @Test
    void to_pair_shortensTheLongerText() {
        long[] tokens = {1, 10, 11, 2, 20, 21, 22, 23, 24, 2};
        long[] segments = {0, 0, 0, 0, 1, 1, 1, 1, 1, 1};
        Example cut = TRUNCATION.to(7, new Example(tokens, new boolean[10], 0, segments));
        assertThat(cut.tokens()).containsExactly(1, 10, 11, 2, 20, 21, 2);
        assertThat(cut.segments()).containsExactly(0, 0, 0, 0, 1, 1, 1);
    }

    @Test
    void to_pairOfEqualTexts_takesTurnsFromTheFirst() {
        Example whole = new Example(new long[] {1, 10, 11, 2, 20, 21, 2}, new boolean[7], 0);
        assertThat(TRUNCATION.to(6, whole).tokens()).containsExactly(1, 10, 2, 20, 21, 2);
        assertThat(TRUNCATION.to(5, whole).tokens()).containsExactly(1, 10, 2, 20, 2);
    }

    @Test
    void to_noRoomForText_isRefused() {
        Example whole = new Example(new long[] {1, 10, 2, 20, 2}, new boolean[5], 0);
        assertThatThrownBy(() -> TRUNCATION.to(2, whole))
                .isInstanceOf(LoricaException.BadInput.class)
                .hasMessageContaining("max_length 2");
    }
}
