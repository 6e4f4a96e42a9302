package io.lorica.adapter;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.lorica.adapter.RowRanges.Range;
import io.lorica.tensor.LoricaException;
import java.util.List;
import org.junit.jupiter.api.Test;

class RowRangesTest {
    private static final RowRanges<String> RANGES =
            RowRanges.joining(new int[] {2, 3, 1, 4}, List.of("a", "a", "b", "a"));

    @Test
    void joining_equalNeighbours_becomeOne() {
        assertThat(RANGES.all())
                .containsExactly(new Range<>(0, 5, "a"), new Range<>(5, 1, "b"), new Range<>(6, 4, "a"));
    }

    @Test
    void over_otherRowsThanTold_isAnError() {
        assertThat(RANGES.over(10, "q_proj")).isEqualTo(RANGES.all());
        assertThatThrownBy(() -> RANGES.over(11, "q_proj"))
                .isInstanceOf(LoricaException.Internal.class)
                .hasMessageContainingAll("10 rows", "q_proj computes 11");
    }

    @Test
    void over_oneOwner_hasAllRows() {
        assertThat(RowRanges.only(3, "a").over(12, "down_proj")).containsExactly(new Range<>(0, 12, "a"));
    }

    @Test
    void map_otherOwners_keepsTheRows() {
        assertThat(RANGES.map(String::toUpperCase).all().getLast()).isEqualTo(new Range<>(6, 4, "A"));
    }
}
