package io.lorica.adapter.lorasb;

import io.lorica.adapter.Shared;
import io.lorica.adapter.lowrank.LatentAdapter;
import io.lorica.adapter.lowrank.LowRankConfig;
import io.lorica.adapter.lowrank.Start;
import io.lorica.adapter.lowrank.Svd;
import io.lorica.model.Linear;
import io.lorica.tensor.LoricaException;
import io.lorica.tensor.Scope;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.SequencedMap;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;

/** The decomposed first update of every site, until the site takes it. */
final class FirstUpdates implements Shared {

    private record Update(Start frame, Tensor latent) {}

    private final Map<String, Update> waiting = new LinkedHashMap<>();

    void put(Linear site, Svd svd) {
        try (Scope _ = Scope.open()) {
            waiting.put(
                    site.name(), new Update(Start.of(svd.vt(), svd.u(), false), Scope.release(torch.diag(svd.s()))));
        }
    }

    LatentAdapter take(Linear site, LowRankConfig config) {
        Update update = waiting.remove(site.name());
        if (update == null) {
            throw new LoricaException.BadInput("the loss on the training examples does not depend on " + site.name()
                    + ", so LoRA-SB has no update to start from; leave it out of target_modules");
        }
        return new LatentAdapter(site, config, update.frame(), update.latent());
    }

    @Override
    public SequencedMap<String, Tensor> tensors() {
        return new LinkedHashMap<>(); // the sites' own tensors hold all that is needed
    }

    @Override
    public void close() {
        waiting.values().forEach(update -> {
            update.frame().a().close();
            update.frame().b().close();
            update.latent().close();
        });
    }
}
