package io.lorica.train;

import static org.assertj.core.api.Assertions.assertThat;

import io.lorica.tensor.Seed;
import io.lorica.train.data.Example;
import java.util.ArrayList;
import java.util.List;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.IntRange;
import org.junit.jupiter.api.Test;

class OrderTest {

    private static List<Example> epoch(Order order, int steps, int epoch) {
        List<Example> seen = new ArrayList<>();
        for (int i = 0; i < steps; i++) {
            seen.addAll(order.step((long) epoch * steps + i));
        }
        return seen;
    }

    @Property(tries = 100)
    void step_anyEpoch_seesEachExampleOnce(
            @ForAll @IntRange(min = 1, max = 40) int count,
            @ForAll @IntRange(min = 1, max = 9) int perStep,
            @ForAll boolean grouped,
            @ForAll @IntRange(max = 3) int epoch) {
        List<Example> data = TinyRun.examples(count);
        Order order = new Order(data, perStep, true, grouped, new Seed(4));
        assertThat(epoch(order, Math.ceilDiv(count, perStep), epoch))
                .hasSize(count)
                .containsExactlyInAnyOrderElementsOf(data);
    }

    @Test
    void step_nextEpoch_hasAnotherOrder() {
        List<Example> data = TinyRun.examples(30);
        Order order = new Order(data, 4, true, false, new Seed(4));
        assertThat(epoch(order, 8, 0)).isNotEqualTo(epoch(order, 8, 1));
    }

    @Test
    void step_otherSeed_hasAnotherOrder() {
        List<Example> data = TinyRun.examples(30);
        assertThat(epoch(new Order(data, 4, true, false, new Seed(4)), 8, 0))
                .isNotEqualTo(epoch(new Order(data, 4, true, false, new Seed(5)), 8, 0))
                .isEqualTo(epoch(new Order(data, 4, true, false, new Seed(4)), 8, 0));
    }

    @Test
    void step_notShuffled_keepsTheOrderOfTheData() {
        List<Example> data = TinyRun.examples(10);
        assertThat(epoch(new Order(data, 4, false, false, new Seed(4)), 3, 1)).isEqualTo(data);
    }

    @Test
    void step_groupedByLength_hasNoWiderSpreadThanItsNeighbours() {
        List<Example> data = TinyRun.examples(32);
        Order order = new Order(data, 8, true, true, new Seed(4));
        List<Integer> sorted = data.stream().map(Example::length).sorted().toList();
        List<List<Integer>> wanted = new ArrayList<>();
        List<List<Integer>> got = new ArrayList<>();
        for (int i = 0; i < 4; i++) {
            wanted.add(sorted.subList(8 * i, 8 * i + 8));
            got.add(order.step(i).stream().map(Example::length).sorted().toList());
        }
        assertThat(got).containsExactlyInAnyOrderElementsOf(wanted);
    }
}
