package io.lorica.model;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.CharRange;
import net.jqwik.api.constraints.Size;
import net.jqwik.api.constraints.StringLength;
import org.junit.jupiter.api.Test;

class StopFilterTest {

    @Property(tries = 1000)
    void add_anyPieces_givesTheTextBeforeTheFirstStop(
            @ForAll @Size(max = 12) List<@CharRange(from = 'a', to = 'c') @StringLength(max = 4) String> pieces,
            @ForAll @Size(min = 1, max = 3)
                    List<@CharRange(from = 'a', to = 'c') @StringLength(min = 1, max = 4) String> stops) {
        StopFilter filter = new StopFilter(stops);
        StringBuilder shown = new StringBuilder();
        StringBuilder whole = new StringBuilder();
        for (String piece : pieces) {
            if (!filter.stopped()) {
                shown.append(filter.add(piece));
                whole.append(piece);
            }
        }
        boolean stopped = filter.stopped();
        shown.append(filter.finish());
        int cut = stops.stream()
                .mapToInt(whole::indexOf)
                .filter(at -> at >= 0)
                .min()
                .orElse(whole.length());
        assertThat(shown.toString()).isEqualTo(whole.substring(0, cut));
        assertThat(stopped).isEqualTo(cut < whole.length());
    }

    @Test
    void add_stopMayBeForming_holdsItBack() {
        StopFilter filter = new StopFilter(List.of("\nUser:"));
        assertThat(filter.add("yes\nUs")).isEqualTo("yes");
        assertThat(filter.add("ually")).isEqualTo("\nUsually");
    }
}
