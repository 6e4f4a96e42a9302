package io.lorica.server;

import static org.assertj.core.api.Assertions.assertThat;

import io.lorica.model.ModelStore;
import io.lorica.model.Pretrained;
import io.lorica.serve.store.AdapterStore;
import io.lorica.tensor.DType;
import java.util.Set;
import org.junit.jupiter.api.Test;

class MetricsTest {

    @Test
    void answered_byThousandsOfAdapters_haveFewLabels() {
        try (Pretrained base = ModelStore.standard().open("lorica-tiny", DType.F32);
                AdapterStore store = new AdapterStore(base.model(), 1 << 20)) {
            Metrics metrics = new Metrics(store);
            for (int i = 0; i < 2000; i++) {
                metrics.answered(Set.of("adapter-" + i), 1);
            }
            assertThat(metrics.text().lines().filter(line -> line.startsWith("lorica_adapter_answers_total")))
                    .hasSize(Metrics.MOST_ADAPTERS + 1)
                    .contains("lorica_adapter_answers_total{adapter=\"other\"} 1900.0");
        }
    }
}
