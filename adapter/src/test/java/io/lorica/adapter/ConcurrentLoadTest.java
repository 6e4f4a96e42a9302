package io.lorica.adapter;

import static org.assertj.core.api.Assertions.assertThat;

import io.lorica.model.BaseModel;
import io.lorica.model.Linear;
import io.lorica.tensor.DType;
import io.lorica.tensor.Seed;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Adapters read by several threads while others compute, as a server does it. */
class ConcurrentLoadTest {
    private static final int LOADS = 40;

    @TempDir
    @SuppressWarnings("NullAway.Init")
    Path directory;

    @Test
    void load_besideOthers_leavesTheOverlaysOnTheirSites() throws InterruptedException, ExecutionException {
        try (BaseModel model = TinyModels.open("llama2", DType.F32)) {
            AdapterConfig config = TinyModels.config("lora", "{'r': 4, 'target_modules': 'all-linear'}");
            try (Adapter adapter = Adapter.create(model, config, new Seed(1))) {
                adapter.save(directory);
            }
            List<Linear> sites = model.sites().values().stream()
                    .filter(Linear.class::isInstance)
                    .map(Linear.class::cast)
                    .toList();
            sites.forEach(site -> site.attach((linear, x, _) -> linear.base(x)));
            try (ExecutorService threads = Executors.newFixedThreadPool(3)) {
                List<Future<?>> loads = new ArrayList<>();
                for (int i = 0; i < LOADS; i++) {
                    loads.add(threads.submit(() ->
                            Adapter.load(model, directory, LoadOptions.STRICT).close()));
                }
                boolean always = true;
                while (loads.stream().anyMatch(load -> !load.isDone())) {
                    always &= sites.stream().allMatch(Linear::overlaid);
                }
                for (Future<?> load : loads) {
                    load.get();
                }
                assertThat(always).isTrue();
                assertThat(sites).allMatch(Linear::overlaid);
            }
        }
    }
}
