package io.lorica.serve.engine;

import static org.assertj.core.api.Assertions.assertThat;

import io.lorica.serve.engine.Admission.Load;
import java.util.ArrayList;
import java.util.List;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.IntRange;
import net.jqwik.api.constraints.Size;
import org.junit.jupiter.api.Test;

class AdmissionTest {
    @Test
    void peak_one_isUsedAndLeft() {
        assertThat(Admission.peak(List.of(new Load(7, 5)), 1)).isEqualTo(12);
    }

    /** The same number, by playing it through: everybody adds a token, then those who are done give theirs back. */
    @Property
    void peak_any_equalsSimulation(
            @ForAll @Size(min = 1, max = 12) List<@IntRange(min = 1, max = 50) Integer> used,
            @ForAll @IntRange(min = 1, max = 40) int longest,
            @ForAll @IntRange(min = 1, max = 20) int pageTokens) {
        List<Load> loads = new ArrayList<>();
        for (int i = 0; i < used.size(); i++) {
            loads.add(new Load(used.get(i), 1 + (used.get(i) * 31 + i) % longest));
        }
        long most = 0;
        for (int step = 1; step <= longest; step++) {
            int now = step;
            most = Math.max(
                    most,
                    loads.stream()
                            .filter(load -> load.left() >= now)
                            .mapToLong(load -> (load.used() + now + pageTokens - 1) / pageTokens)
                            .sum());
        }
        assertThat(Admission.peak(loads, pageTokens)).isEqualTo(most);
    }
}
