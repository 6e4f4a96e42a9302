package io.lorica.adapter.dylora;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.lorica.adapter.Options;
import io.lorica.tensor.Seed;
import org.junit.jupiter.api.Test;

class RankDrawTest {

    private static int[] draws(String settings) throws JsonProcessingException {
        ObjectNode json = (ObjectNode) new ObjectMapper().readTree(settings.replace('\'', '"'));
        DyLoraConfig config = DyLoraConfig.parse(new Options(json, "test"));
        int[] counts = new int[9];
        for (int step = 0; step < 20_000; step++) {
            counts[config.draw(new Seed(7).of(step).value())]++;
        }
        return counts;
    }

    @Test
    void draw_uniform_takesEachRankFromTheSmallestAlike() throws Exception {
        int[] counts = draws("{'r': 8, 'r_min': 3}");
        for (int b = 3; b <= 8; b++) {
            assertThat(counts[b] / 20_000.0).as("rank " + b).isCloseTo(1 / 6.0, within(0.05 / 6));
        }
        assertThat(counts[1] + counts[2]).isZero();
        assertThat(draws("{'r': 8, 'r_min': 3}")).isEqualTo(counts);
    }

    @Test
    void draw_geometric_halvesFromRankToRank() throws Exception {
        int[] counts = draws("{'r': 8, 'rank_distribution': 'geometric', 'geometric_p': 0.5}");
        assertThat((double) counts[2] / counts[1]).isCloseTo(0.5, within(0.05));
    }

    @Test
    void draw_weightsAndGranularity_takesTheStatedMultiples() throws Exception {
        int[] counts = draws("{'r': 8, 'granularity': 4, 'rank_distribution': [1, 3]}");
        assertThat(counts[4] + counts[8]).isEqualTo(20_000);
        assertThat(counts[8] / 20_000.0).isCloseTo(0.75, within(0.02));
    }
}
